"""The observation history of OC-SORT's tracks: their last detections, which it uses in addition to the filter's
estimates.

After Cao, Pang, Weng, Khirodkar and Kitani, "Observation-Centric SORT: rethinking SORT for robust multi-object
tracking", 2023.
"""

import numpy as np

from reidops.tracking.motion import BoxMotion, State, stack

Rows = np.ndarray | list[int]


class Sightings:
    """The last observations (matched detections) of each track and its state then; one row per track, boxes are
    box_ltwh [n, 4].

    Attributes:
        last: box of the last observation.
        state: Kalman state after the update with the last observation.
    """

    def __init__(self, state: State, delta: int) -> None:
        """Start without tracks.

        Args:
            state: a state of no tracks.
            delta: Δt, number of frames over which a direction is computed.
        """
        self.last = np.zeros((0, 4))
        self.state = state
        self._origin = np.zeros((0, 4))  # the observation at which the direction to the last one starts
        self._recent = np.full((0, delta, 4), np.nan)  # of 1 … Δt frames ago, NaN = unmatched

    def __len__(self) -> int:
        return len(self.last)

    def append(self, state: State, box_ltwh: np.ndarray) -> None:
        """Append new tracks with their first observation."""
        recent = np.full((len(box_ltwh), *self._recent.shape[1:]), np.nan)
        recent[:, 0] = box_ltwh
        self.last, self._origin = np.concatenate([self.last, box_ltwh]), np.concatenate([self._origin, box_ltwh])
        self._recent = np.concatenate([self._recent, recent])
        self.state = stack([self.state, state])

    def keep(self, rows: Rows) -> None:
        """Remove all tracks except these (indices or a mask)."""
        self.last, self._origin, self._recent, self.state = (
            self.last[rows],
            self._origin[rows],
            self._recent[rows],
            self.state[rows],
        )

    def update(self, rows: Rows, state: State, box_ltwh: np.ndarray) -> None:
        """Record one frame: the tracks of `rows`, which must be unique, were matched at the boxes [num_rows, 4], the
        others not.
        """
        self._origin[rows] = self.references()[rows]
        self._recent = np.concatenate([np.full_like(self._recent[:, :1], np.nan), self._recent[:, :-1]], axis=1)
        self._recent[rows, 0] = self.last[rows] = box_ltwh
        self.state = self.state.replaced(rows, state)

    def forget_before(self, rows: Rows) -> None:
        """Make the last observation of these tracks their first one."""
        self._origin[rows] = self.last[rows]
        self._recent[rows, 1:] = np.nan

    def references(self, interval: int | None = None) -> np.ndarray:
        """Return the observation of `interval` frames ago or, if there is none, the oldest later one, [n, 4].

        Args:
            interval: 1 … Δt, None = Δt.
        """
        seen = ~np.isnan(self._recent[:, :interval, 0])
        oldest = seen.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
        return np.where(seen.any(axis=1)[:, None], self._recent[np.arange(len(self)), oldest], self.last)

    def agreement(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return the consistency of each detection with the direction of each track, [n, num_detections], ½ … −½ (OCM).

        It is ½ for the same and −½ for the opposite direction, linear in the angle; 0 for a track without a direction.
        """
        track_directions = unit_vectors(_centres(self.last) - _centres(self._origin))
        pair_directions = unit_vectors(_centres(box_ltwh)[None] - _centres(self.references())[:, None])
        cosines = np.einsum("tbi,ti->tb", pair_directions, track_directions)
        return 0.5 - np.arccos(np.clip(cosines, -1, 1)) / np.pi

    def warp(self, motion: BoxMotion, affine: np.ndarray) -> None:
        """Apply camera motion, affine [2, 3], to all boxes and states."""
        self.last, self._origin = warp_boxes(self.last, affine), warp_boxes(self._origin, affine)
        self._recent = warp_boxes(self._recent, affine)
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
    for remaining in range(int(gaps.max(initial=0)) - 1, -1, -1):  # frames from the predicted to the current frame
        lost = slice(np.searchsorted(-gaps, -remaining))  # tracks that were lost by then; they come first
        predicted = motion.predict(state[lost])
        if remaining:
            share = remaining / gaps[lost, None]
            predicted = motion.correct(predicted, share * last[lost] + (1 - share) * box_ltwh[lost])
        state = stack([predicted, state[lost.stop :]])
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


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Normalize vectors to length 1; a vector near 0 stays near 0."""
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-6)
