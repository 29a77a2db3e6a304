"""The motion model of C-BIoU: a box and the mean displacement of the last observations, without a Kalman filter.

After Yang, Odashima, Masui and Jiang, "Hard to track objects with irregular motions and similar appearances? Make it
easier by buffering the matching space", 2023, section 3.
"""

import numpy as np

from reidops.tracking.motion import MEASURED, BoxMotion, State


class MeanMotion(BoxMotion):
    """The state is a box (left, top, width, height) and its change per frame, without covariances.

    A prediction adds the change, so after Δ frames a box has moved by Δ times the change. A correction replaces the box
    by the observation. The tracker sets the change.
    """

    @staticmethod
    def state_of(means: np.ndarray) -> State:
        """Return a state of the means [n, 8]; its covariances have no elements."""
        return State(means, np.zeros((len(means), 0, 0)))

    def start(self, box_ltwh: np.ndarray) -> State:
        """Return the state of tracks at the boxes [n, 4] without motion."""
        return self.state_of(np.concatenate([np.asarray(box_ltwh, dtype=float), np.zeros((len(box_ltwh), 4))], axis=1))

    def predict(self, state: State, keeps_size: np.ndarray | None = None) -> State:
        """Return the state one frame later; a size that would not be positive does not change any more."""
        means = state.means.copy()
        size, growth = means[:, 2:MEASURED], means[:, MEASURED + 2 :]
        growth[size + growth <= 0] = 0
        means[:, :MEASURED] += means[:, MEASURED:]
        return self.state_of(means)

    def correct(self, state: State, box_ltwh: np.ndarray, confidence: np.ndarray | None = None) -> State:
        """Return the state at the observed boxes [n, 4]; `confidence` is ignored."""
        return self.state_of(np.concatenate([box_ltwh, state.means[:, MEASURED:]], axis=1))

    def boxes(self, state: State) -> np.ndarray:
        """Return the boxes of the tracks, box_ltwh [n, 4]."""
        return state.means[:, :MEASURED]


def mean_displacements(displacements: np.ndarray) -> np.ndarray:
    """Return the mean of the known displacements of each track, [n, 4]; 0 for a track without any.

    Args:
        displacements: [n, window, 4], px per frame; NaN = not observed.
    """
    known = ~np.isnan(displacements)
    return np.where(known, displacements, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
