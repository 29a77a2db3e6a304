"""The observation history of OC-SORT's tracks: their last detections, which it uses in addition to the filter's
estimates.

After Cao, Pang, Weng, Khirodkar and Kitani, "Observation-Centric SORT: rethinking SORT for robust multi-object
tracking", 2023.
"""

import numpy as np

from reidops.tracking.motion import BoxMotion, State, stack

Rows = np.ndarray | list[int]

_NEAR_ZERO = 1e-6  # px, added to a length so that it divides


class Sightings:
    """The last observations (matched detections) of each track and its state then; one row per track, boxes are
    box_ltwh [n, 4].

    Attributes:
        last: box of the last observation.
        references: for each interval of 1 … Δt frames, the observation of so many frames ago or, if there is none, the
            oldest later one, [Δt, n, 4].
        state: Kalman state after the update with the last observation.
    """

    def __init__(self, state: State, delta: int) -> None:
        """Start without tracks.

        Args:
            state: a state of no tracks.
            delta: Δt, number of frames over which a direction is computed.
        """
        self.last = np.zeros((0, 4))
        self.references = np.zeros((delta, 0, 4))
        self.state = state
        self._origins = np.zeros((delta, 0, 4))  # for each interval: where the direction to the last observation starts
        self._age = np.zeros(0, dtype=int)  # frames from the last observation to the coming frame
        self._intervals = np.arange(1, delta + 1)[:, None]

    def __len__(self) -> int:
        return len(self.last)

    def append(self, state: State, box_ltwh: np.ndarray) -> None:
        """Append new tracks with their first observation."""
        if not len(box_ltwh):
            return
        first = np.broadcast_to(box_ltwh, (len(self.references), *box_ltwh.shape))
        self.last = np.concatenate([self.last, box_ltwh])
        self.references = np.concatenate([self.references, first], axis=1)
        self._origins = np.concatenate([self._origins, first], axis=1)
        self._age = np.concatenate([self._age, np.ones(len(box_ltwh), dtype=int)])
        self.state = stack([self.state, state])

    def keep(self, rows: Rows) -> None:
        """Remove all tracks except these (indices or a mask)."""
        self.last, self._age, self.state = self.last[rows], self._age[rows], self.state[rows]
        self.references, self._origins = self.references[:, rows], self._origins[:, rows]

    def update(self, rows: Rows, state: State, box_ltwh: np.ndarray) -> None:
        """Record one frame: the tracks of `rows`, which must be unique, were matched at the boxes [num_rows, 4], the
        others not.
        """
        self._origins[:, rows] = self.references[:, rows]
        self.last[rows] = box_ltwh
        # one frame later, the reference of an interval is that of an interval of one frame more
        is_within = self._age < self._intervals[1:]
        earlier = np.where(is_within[:, :, None], self.references[:-1], self.last)
        self.references = np.concatenate([self.last[None], earlier])
        self._age += 1
        self._age[rows] = 1
        self.state = self.state.replaced(rows, state)

    def forget_before(self, rows: Rows) -> None:
        """Make the last observation of these tracks their first one."""
        self._origins[:, rows] = self.references[:, rows] = self.last[rows]

    def agreement(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return the consistency of each detection with the direction of each track, [n, num_detections], ½ … −½ (OCM).

        It is ½ for the same and −½ for the opposite direction, linear in the angle; 0 for a track without a direction.
        """
        starts = _centres(self.references[-1])
        direction_x, direction_y = unit_vectors(*(_centres(self.last) - _centres(self._origins[-1])).T)
        way_x, way_y = (box_ltwh[:, i] + box_ltwh[:, i + 2] / 2 - starts[:, i, None] for i in (0, 1))
        return 0.5 - angles(way_x, way_y, direction_x[:, None], direction_y[:, None]) / np.pi

    def warp(self, motion: BoxMotion, affine: np.ndarray) -> None:
        """Apply camera motion, affine [2, 3], to all boxes and states."""
        self.last = warp_boxes(self.last, affine)
        self.references, self._origins = warp_boxes(self.references, affine), warp_boxes(self._origins, affine)
        self.state = motion.warp(self.state, affine)


def reupdate(motion: BoxMotion, state: State, last: np.ndarray, box_ltwh: np.ndarray, gaps: np.ndarray) -> State:
    """Return the predicted state of recovered tracks after updates along a virtual trajectory over the gap (ORU).

    The virtual trajectory interpolates linearly between the last observation and the new one.

    Args:
        state: Kalman state of the tracks at their last observation.
        last, box_ltwh: boxes of the last and of the new observation, [n, 4].
        gaps: frames between the two, [n], 1 = consecutive frames.
    """
    order = np.argsort(-gaps, kind="stable")
    gaps, last, box_ltwh, state = gaps[order], last[order], box_ltwh[order], state[order]
    shares = np.minimum(np.arange(gaps.max(initial=0))[:, None] / gaps, 1)[:, :, None]
    trajectory = motion.measure((shares * last + (1 - shares) * box_ltwh).reshape(-1, 4))
    measured = trajectory.reshape(len(shares), len(gaps), 4)  # by the frames that remain
    for remaining in range(int(gaps.max(initial=0)) - 1, -1, -1):  # frames from the predicted to the current frame
        num_lost = int(np.searchsorted(-gaps, -remaining))  # tracks that were lost by then; they come first
        predicted = motion.predict(state[:num_lost])
        if remaining:
            predicted = motion.correct_measured(predicted, measured[remaining, :num_lost])
        state = predicted if num_lost == len(state) else stack([predicted, state[num_lost:]])
    return state[np.argsort(order)]


def warp_boxes(box_ltwh: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Apply camera motion to boxes [..., 4]: transform the centres, scale the sizes by the square root of the
    determinant.
    """
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    size = scale * box_ltwh[..., 2:]
    return np.concatenate([_centres(box_ltwh) @ affine[:, :2].T + affine[:, 2] - size / 2, size], axis=-1)


def _centres(box_ltwh: np.ndarray) -> np.ndarray:
    return box_ltwh[..., :2] + box_ltwh[..., 2:] / 2


def unit_vectors(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of length 1, their x and their y; a vector near 0 stays near 0. The arguments broadcast."""
    length = np.sqrt(x * x + y * y) + _NEAR_ZERO
    return x / length, y / length


def angles(x: np.ndarray, y: np.ndarray, unit_x: np.ndarray, unit_y: np.ndarray) -> np.ndarray:
    """Return the angles between vectors (x, y) and unit vectors, 0 … π; π / 2 for a vector near 0. The arguments
    broadcast.
    """
    length = x * x + y * y
    np.sqrt(length, out=length)
    length += _NEAR_ZERO
    cosines = x * unit_x
    cosines += y * unit_y
    cosines /= length
    np.clip(cosines, -1, 1, out=cosines)
    return np.arccos(cosines, out=cosines)
