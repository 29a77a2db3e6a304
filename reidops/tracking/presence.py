"""Where a tracked person is: visible, hidden, or gone. A Markov chain in continuous time."""

import numpy as np
from scipy.linalg import expm

VISIBLE, HIDDEN, GONE = 0, 1, 2
NUM_STATES = 3
_MOST_STEPS = 64  # transition matrices that are stored; videos of a variable frame rate have many time steps


class PresenceChain:
    """The probabilities of the three states.

    Args:
        hide, back: rates at which a visible person becomes hidden, and a hidden person visible, per second.
        leave: rate at which a person leaves for good, per second.
        detect: probability that a visible person is detected in a frame.
    """

    def __init__(self, hide: float, back: float, leave: float, detect: float) -> None:
        self._rates = np.array([[-hide - leave, hide, leave], [back, -back - leave, leave], [0, 0, 0]])
        self._detect = detect
        self._steps: dict[float, np.ndarray] = {}

    def predict(self, states: np.ndarray, seconds: float) -> np.ndarray:
        """Return the probabilities [n, 3] some seconds later."""
        step = round(seconds, 6)
        if step not in self._steps:
            if len(self._steps) >= _MOST_STEPS:
                self._steps.clear()
            self._steps[step] = expm(self._rates * step)
        return states @ self._steps[step]

    def log_odds(self, states: np.ndarray) -> np.ndarray:
        """Return the log odds that a person is detected in this frame, [n]."""
        probability = np.clip(states[:, VISIBLE] * self._detect, 1e-12, 1 - 1e-6)
        return np.log(probability) - np.log1p(-probability)

    def update(self, states: np.ndarray, is_matched: np.ndarray) -> np.ndarray:
        """Return the probabilities after a frame: a matched person is visible, an unmatched one less likely so.

        Args:
            is_matched: bool [n].
        """
        missed = states * np.array([1 - self._detect, 1, 1])
        missed = missed / np.maximum(missed.sum(axis=1, keepdims=True), 1e-300)
        return np.where(is_matched[:, None], np.eye(NUM_STATES)[VISIBLE], missed)
