"""The observation history of Hybrid-SORT's tracks: the directions of four corners over several intervals (ROCM).

After Yang, Han, Yan, Zhang, Qi, Lu and Wang, "Hybrid-SORT: weak cues matter for online multi-object tracking", 2024.
"""

import numpy as np

from reidops.tracking.motion import BoxMotion, State
from reidops.tracking.sightings import Rows, Sightings, unit_vectors, warp_boxes

_MOST_ANGLES = 2**20  # computed at a time, which bounds the memory


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
        starts, ends = _corners(self._references()), _corners(self.last)[:, None] - _corners(self._origins)
        directions = unit_vectors(ends).reshape(len(self), 4 * self._delta, 2)
        starts, corners = starts.reshape(directions.shape), np.tile(_corners(box_ltwh), (1, self._delta, 1))
        block = max(1, _MOST_ANGLES // max(1, corners.shape[0] * corners.shape[1]))
        parts = [
            _mean_agreement(starts[rows : rows + block], directions[rows : rows + block], corners)
            for rows in range(0, len(self), block)
        ]
        return np.concatenate([np.zeros((0, len(box_ltwh))), *parts])

    def warp(self, motion: BoxMotion, affine: np.ndarray) -> None:
        """See `Sightings`."""
        super().warp(motion, affine)
        self._origins = warp_boxes(self._origins, affine)

    def _references(self) -> np.ndarray:
        """Return the observation at the start of each interval of 1 … Δt frames to the coming one, [n, Δt, 4]."""
        return np.stack([self.references(interval) for interval in range(1, self._delta + 1)], axis=1)


def _mean_agreement(starts: np.ndarray, directions: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return the mean agreement of directions and the ways to the corners of detections: ½ less the angle over π.

    Args:
        starts, directions: of each corner and interval of the tracks, [n, k, 2]; the directions are unit vectors.
        corners: of the detections, [num_detections, k, 2].

    Returns:
        [n, num_detections].
    """
    ways = corners.T[:, :, None] - starts.T[:, :, :, None]  # [2, k, n, num_detections]
    towards = directions.T[:, :, :, None]
    cosines = (ways[0] * towards[0] + ways[1] * towards[1]) / (np.hypot(ways[0], ways[1]) + 1e-6)
    return 0.5 - np.arccos(np.clip(cosines, -1, 1)).mean(axis=0) / np.pi


def _corners(box_ltwh: np.ndarray) -> np.ndarray:
    """Return the corners of boxes [..., 4]: left top, right top, left bottom, right bottom, [..., 4, 2]."""
    left_top, size = box_ltwh[..., None, :2], box_ltwh[..., None, 2:]
    return left_top + size * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
