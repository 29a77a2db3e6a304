"""The confidence of each track over time: Hybrid-SORT's tracklet confidence modelling (TCM).

After Yang, Han, Yan, Zhang, Qi, Lu and Wang, "Hybrid-SORT: weak cues matter for online multi-object tracking", 2024.
The paper adds the confidence and its change to the state of SORT's Kalman filter. They share no noise with the box, so
a filter of their own gives the same estimates. The paper gives no variances; they are those of SORT's area.
"""

import numpy as np

_START, _START_RATE = 10.0, 1e4  # variances of a new track
_PROCESS, _PROCESS_RATE = 1.0, 1e-4  # variances that a frame adds
_NOISE = 10.0

Rows = np.ndarray | list[int]


class ConfidenceState:
    """A Kalman filter of the confidence and its change per frame, and the last two confidences, one column per track.

    The rows are the confidence and its rate, the variance of the confidence, its covariance with the rate, the variance
    of the rate, and the confidences of the last and of the previous match.
    """

    def __init__(self) -> None:
        self._values = np.zeros((7, 0))

    def __len__(self) -> int:
        return self._values.shape[1]

    def append(self, confidence: np.ndarray) -> None:
        """Append new tracks with their first confidence [num_tracks]."""
        if not len(confidence):
            return
        first = np.zeros((7, len(confidence)))
        first[0] = first[5] = first[6] = confidence
        first[2], first[4] = _START, _START_RATE
        self._values = np.concatenate([self._values, first], axis=1)

    def keep(self, alive: np.ndarray) -> None:
        """Remove the tracks outside the mask [n]."""
        self._values = self._values[:, alive]

    def predict(self) -> None:
        """Predict the confidence of all tracks in the next frame."""
        confidence, rate, variance, covariance, rate_variance, *_ = self._values
        confidence += rate
        variance += 2 * covariance + rate_variance + _PROCESS
        covariance += rate_variance
        rate_variance += _PROCESS_RATE

    def update(self, rows: Rows, confidence: np.ndarray) -> None:
        """Correct the tracks of `rows`, which must be unique, by the confidences of their detections."""
        predicted, rate, variance, covariance, rate_variance, last, _ = self._values[:, rows]
        gain, rate_gain = variance / (variance + _NOISE), covariance / (variance + _NOISE)
        innovation = confidence - predicted
        self._values[:, rows] = [
            predicted + gain * innovation,
            rate + rate_gain * innovation,
            variance - gain * variance,
            covariance - gain * covariance,
            rate_variance - rate_gain * covariance,
            confidence,
            last,
        ]

    def filtered(self) -> np.ndarray:
        """Return the confidence that the filter predicts, [n]."""
        return self._values[0].copy()

    def extrapolated(self) -> np.ndarray:
        """Return the last confidence plus its last change, [n]; the only one of a track with one detection."""
        return 2 * self._values[5] - self._values[6]
