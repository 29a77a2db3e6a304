"""The distribution of boxes of anyone, which the evidence of a track is compared with."""

import numpy as np

_ASPECT_STD, _HEIGHT_STD = 0.3, 0.6  # of the log aspect ratio and of the log height of people's boxes
_PRIOR_ASPECT, _PRIOR_WEIGHT = -0.95, 10.0  # width / height of 0.39, worth as many boxes
_MOST_BOXES = 1e4  # a mean over so many boxes follows a change of the view


class PassersBy:
    """Anyone's foot point is uniform over the part of the frame where boxes were; the size is log-normal."""

    def __init__(self) -> None:
        self._extent = np.ones(2)  # px
        self._num_boxes = 0.0
        self._log_aspect, self._log_height = _PRIOR_ASPECT, 0.0

    def add(self, measured: np.ndarray, box_ltrb: np.ndarray) -> None:
        """Add the boxes of a frame.

        Args:
            measured: [n, 4], x, y, log aspect ratio and log height of the boxes, see `DecayingMotion.measure`.
            box_ltrb: [n, 4] px.
        """
        if not len(measured):
            return
        self._extent = np.maximum(self._extent, box_ltrb[:, 2:].max(axis=0))
        before = min(self._num_boxes, _MOST_BOXES)
        total = before + len(measured)
        self._log_height = (before * self._log_height + measured[:, 3].sum()) / total
        aspects = before + _PRIOR_WEIGHT
        self._log_aspect = (aspects * self._log_aspect + measured[:, 2].sum()) / (aspects + len(measured))
        self._num_boxes = total

    def log_densities(self, measured: np.ndarray) -> np.ndarray:
        """Return the log density of each box in the units of a measurement, [n]."""
        aspect = (measured[:, 2] - self._log_aspect) / _ASPECT_STD
        height = (measured[:, 3] - self._log_height) / _HEIGHT_STD
        volume = np.log(self._extent).sum() + np.log(2 * np.pi * _ASPECT_STD * _HEIGHT_STD)
        return -volume - (aspect**2 + height**2) / 2
