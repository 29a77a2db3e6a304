"""The confidence of each track over time: Hybrid-SORT's tracklet confidence modelling (TCM).

After Yang, Han, Yan, Zhang, Qi, Lu and Wang, "Hybrid-SORT: weak cues matter for online multi-object tracking", 2024.
The paper adds the confidence and its change to the state of SORT's Kalman filter. They share no noise with the box, so
a filter of their own gives the same estimates. The paper gives no variances; they are those of SORT's area.
"""

import numpy as np

_START, _START_RATE = 10.0, 1e4  # variances of a new track
_PROCESS = np.diag([1.0, 1e-4])
_NOISE = 10.0
_TRANSITION = np.array([[1.0, 1.0], [0.0, 1.0]])

Rows = np.ndarray | list[int]


class ConfidenceState:
    """A Kalman filter of the confidence and its change per frame, and the last two confidences, one row per track."""

    def __init__(self) -> None:
        self._means = np.zeros((0, 2))
        self._covariances = np.zeros((0, 2, 2))
        self._last = np.zeros((0, 2))  # of the last and of the previous match

    def __len__(self) -> int:
        return len(self._means)

    def append(self, confidence: np.ndarray) -> None:
        """Append new tracks with their first confidence [num_tracks]."""
        start = np.broadcast_to(np.diag([_START, _START_RATE]), (len(confidence), 2, 2))
        self._means = np.concatenate([self._means, np.column_stack([confidence, np.zeros_like(confidence)])])
        self._covariances = np.concatenate([self._covariances, start])
        self._last = np.concatenate([self._last, np.column_stack([confidence, confidence])])

    def keep(self, alive: np.ndarray) -> None:
        """Remove the tracks outside the mask [n]."""
        self._means, self._covariances, self._last = (
            values[alive] for values in (self._means, self._covariances, self._last)
        )

    def predict(self) -> None:
        """Predict the confidence of all tracks in the next frame."""
        self._means = self._means @ _TRANSITION.T
        self._covariances = _TRANSITION @ self._covariances @ _TRANSITION.T + _PROCESS

    def update(self, rows: Rows, confidence: np.ndarray) -> None:
        """Correct the tracks of `rows`, which must be unique, by the confidences of their detections."""
        covariances = self._covariances[rows]
        gains = covariances[:, :, 0] / (covariances[:, :1, 0] + _NOISE)
        self._means[rows] += gains * (confidence - self._means[rows, 0])[:, None]
        self._covariances[rows] = covariances - gains[:, :, None] * covariances[:, :1]
        self._last[rows] = np.column_stack([confidence, self._last[rows, 0]])

    def filtered(self) -> np.ndarray:
        """Return the confidence that the filter predicts, [n]."""
        return self._means[:, 0].copy()

    def extrapolated(self) -> np.ndarray:
        """Return the last confidence plus its last change, [n]; the only one of a track with one detection."""
        return 2 * self._last[:, 0] - self._last[:, 1]
