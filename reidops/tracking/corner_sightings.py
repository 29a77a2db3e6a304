"""The observation history of Hybrid-SORT's tracks: the directions of four corners over several intervals (ROCM).

After Yang, Han, Yan, Zhang, Qi, Lu and Wang, "Hybrid-SORT: weak cues matter for online multi-object tracking", 2024.
"""

import numpy as np

from reidops.tracking.sightings import Sightings, angles, unit_vectors

_MOST_ANGLES = 2**13  # computed at a time, so that they stay in the processor's cache
_NUM_CORNERS = 4


class CornerSightings(Sightings):
    """OC-SORT's history, in which a direction is that of each corner over each interval of 1 … Δt frames."""

    def agreement(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return the mean agreement of corners and intervals, [n, num_detections], ½ … −½; 0 without a direction."""
        (last_x, last_y), (origin_x, origin_y) = _edges(self.last), _edges(self._origins)
        directions = unit_vectors(last_x[..., None, :] - origin_x, last_y[..., None, :] - origin_y)  # [2, 2, Δt, n]
        (start_x, start_y), (end_x, end_y) = _edges(self.references), _edges(box_ltwh)
        block = max(1, _MOST_ANGLES // max(1, _NUM_CORNERS * len(self.references) * len(box_ltwh)))
        agreement = np.zeros((len(self), len(box_ltwh)))
        for first in range(0, len(self), block):
            rows = slice(first, first + block)
            towards_x, towards_y = (unit[..., rows, None] for unit in directions)
            way_x = end_x[..., None, None, :] - start_x[..., rows, None]
            way_y = end_y[..., None, None, :] - start_y[..., rows, None]
            mean_angle = angles(way_x, way_y, towards_x, towards_y).mean(axis=(0, 1, 2))
            agreement[rows] = 0.5 - mean_angle / np.pi
        return agreement


def _edges(box_ltwh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x of the left and the right edges, [1, 2, ...], and y of the top and the bottom edges, [2, 1, ...].

    Both broadcast to the four corners of the boxes [..., 4].
    """
    left, top, width, height = np.moveaxis(box_ltwh, -1, 0)
    return np.array([[left, left + width]]), np.array([[top], [top + height]])
