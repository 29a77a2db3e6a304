"""The observation history of Hybrid-SORT's tracks: the directions of four corners over several intervals (ROCM).

After Yang, Han, Yan, Zhang, Qi, Lu and Wang, "Hybrid-SORT: weak cues matter for online multi-object tracking", 2024.
"""

import numpy as np

from reidops.tracking.motion import BoxMotion, State
from reidops.tracking.sightings import Rows, Sightings, unit_vectors, warp_boxes


class CornerSightings(Sightings):
    """OC-SORT's history, in which a direction is that of each corner over each interval of 1 … Δt frames."""

    def __init__(self, state: State, delta: int) -> None:
        super().__init__(state, delta)
        self._delta = delta
        self._origins = np.zeros((0, delta, 4))  # for each interval: where the direction to the last observation starts

    def append(self, state: State, box_ltwh: np.ndarray) -> None:
        """See `Sightings`."""
        super().append(state, box_ltwh)
        self._origins = np.concatenate([self._origins, np.repeat(box_ltwh[:, None], self._delta, axis=1)])

    def keep(self, rows: Rows) -> None:
        """See `Sightings`."""
        super().keep(rows)
        self._origins = self._origins[rows]

    def update(self, rows: Rows, state: State, box_ltwh: np.ndarray) -> None:
        """See `Sightings`."""
        self._origins[rows] = self._references()[rows]
        super().update(rows, state, box_ltwh)

    def forget_before(self, rows: Rows) -> None:
        """See `Sightings`."""
        super().forget_before(rows)
        self._origins[rows] = self.last[rows][:, None]

    def agreement(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return the mean agreement of corners and intervals, [n, num_detections], ½ … −½; 0 without a direction."""
        corners, last, references = _corners(box_ltwh), _corners(self.last), _corners(self._references())
        tracks = unit_vectors(last[:, None] - _corners(self._origins))
        total = np.zeros((len(self), len(box_ltwh)))
        for interval in range(self._delta):
            for corner in range(4):
                pairs = unit_vectors(corners[None, :, corner] - references[:, None, interval, corner])
                cosines = np.einsum("tbi,ti->tb", pairs, tracks[:, interval, corner])
                total += 0.5 - np.arccos(np.clip(cosines, -1, 1)) / np.pi
        return total / (4 * self._delta)

    def warp(self, motion: BoxMotion, affine: np.ndarray) -> None:
        """See `Sightings`."""
        super().warp(motion, affine)
        self._origins = warp_boxes(self._origins, affine)

    def _references(self) -> np.ndarray:
        """Return the observation at the start of each interval of 1 … Δt frames to the coming one, [n, Δt, 4]."""
        return np.stack([self.references(interval) for interval in range(1, self._delta + 1)], axis=1)


def _corners(box_ltwh: np.ndarray) -> np.ndarray:
    """Return the corners of boxes [..., 4]: left top, right top, left bottom, right bottom, [..., 4, 2]."""
    left_top, size = box_ltwh[..., None, :2], box_ltwh[..., None, 2:]
    return left_top + size * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
