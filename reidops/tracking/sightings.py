"""What OC-SORT remembers of its tracks: where they were really seen, which it trusts more than where a filter believes them.

After Cao, Pang, Weng, Khirodkar and Kitani, "Observation-Centric SORT: rethinking SORT for robust multi-object tracking", 2023.
"""

import numpy as np

from reidops.tracking.motion import BoxMotion, State, stack

Rows = np.ndarray | list[int]


class Sightings:
    """The last detections of each track and the state that it had then; a row for each track, boxes are box_ltwh [n, 4].

    Attributes:
        last: where each was seen last.
        state: what its filter believed just after that.
    """

    def __init__(self, state: State, delta: int) -> None:
        """Begin without tracks.

        Args:
            state: a state of no tracks.
            delta: Δt, frames over which a direction is told.
        """
        self.last = np.zeros((0, 4))
        self.state = state
        self._origin = np.zeros((0, 4))  # the sighting from which the direction towards the last one is told
        self._recent = np.full((0, delta, 4), np.nan)  # of 1 … Δt frames ago, NaN = not seen then

    def __len__(self) -> int:
        return len(self.last)

    def append(self, state: State, box_ltwh: np.ndarray) -> None:
        """Add tracks after the last, seen for the first time."""
        recent = np.full((len(box_ltwh), *self._recent.shape[1:]), np.nan)
        recent[:, 0] = box_ltwh
        self.last, self._origin = np.concatenate([self.last, box_ltwh]), np.concatenate([self._origin, box_ltwh])
        self._recent = np.concatenate([self._recent, recent])
        self.state = stack([self.state, state])

    def keep(self, rows: Rows) -> None:
        """Forget all tracks but these (numbers or a mask)."""
        self.last, self._origin, self._recent, self.state = self.last[rows], self._origin[rows], self._recent[rows], self.state[rows]

    def see(self, rows: Rows, state: State, box_ltwh: np.ndarray) -> None:
        """End a frame: the tracks of these rows, each named once, were seen in it at the boxes [num_rows, 4], the others were not."""
        self._origin[rows] = self.references()[rows]
        self._recent = np.concatenate([np.full_like(self._recent[:, :1], np.nan), self._recent[:, :-1]], axis=1)
        self._recent[rows, 0] = self.last[rows] = box_ltwh
        self.state = self.state.replaced(rows, state)

    def forget_before(self, rows: Rows) -> None:
        """Take the last sightings of these tracks for their first."""
        self._origin[rows] = self.last[rows]
        self._recent[rows, 1:] = np.nan

    def references(self) -> np.ndarray:
        """Return the sighting of Δt frames ago or, where there is none, the next one to it in time, [n, 4]."""
        seen = ~np.isnan(self._recent[:, :, 0])
        oldest = self._recent.shape[1] - 1 - seen[:, ::-1].argmax(axis=1)
        return np.where(seen.any(axis=1)[:, None], self._recent[np.arange(len(self)), oldest], self.last)

    def agreement(self, box_ltwh: np.ndarray) -> np.ndarray:
        """Return how well each detection lies in the direction in which each track walks, [n, num_detections], ½ … −½ (OCM).

        It is ½ straight ahead and −½ straight back, in equal steps of the angle; 0 for a track without a direction.
        """
        walked = _unit(_centres(self.last) - _centres(self._origin))
        intended = _unit(_centres(box_ltwh)[None] - _centres(self.references())[:, None])
        cosines = np.einsum("tbi,ti->tb", intended, walked)
        return 0.5 - np.arccos(np.clip(cosines, -1, 1)) / np.pi

    def warp(self, motion: BoxMotion, affine: np.ndarray) -> None:
        """Take everything to where it is in the picture of a camera that moved by affine [2, 3]."""
        self.last, self._origin = warp_boxes(self.last, affine), warp_boxes(self._origin, affine)
        self._recent = warp_boxes(self._recent, affine)
        self.state = motion.warp(self.state, affine)


def reupdate(motion: BoxMotion, state: State, last: np.ndarray, box_ltwh: np.ndarray, gaps: np.ndarray) -> State:
    """Return what the filter predicts for tracks that were found again, had they been seen all the time (ORU).

    They are taken to have moved evenly from their last sighting to the new one.

    Args:
        state: of the tracks when they were seen last.
        last, box_ltwh: where they were seen last and where they are now, [n, 4].
        gaps: frames between the two, [n], 1 = the frame before.
    """
    order = np.argsort(-gaps, kind="stable")
    gaps, last, box_ltwh, state = gaps[order], last[order], box_ltwh[order], state[order]
    for remaining in range(int(gaps.max(initial=0)) - 1, -1, -1):  # frames from the one that is predicted to this one
        lost = slice(np.searchsorted(-gaps, -remaining))  # who was lost by then: they come first
        going = motion.predict(state[lost])
        if remaining:
            share = remaining / gaps[lost, None]
            going = motion.correct(going, share * last[lost] + (1 - share) * box_ltwh[lost])
        state = stack([going, state[lost.stop :]])
    return state[np.argsort(order)]


def warp_boxes(box_ltwh: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return boxes [..., 4] in the picture of a camera that moved: centres move with it, sizes grow as lengths do on average."""
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    size = scale * box_ltwh[..., 2:]
    return np.concatenate([_centres(box_ltwh) @ affine[:, :2].T + affine[:, 2] - size / 2, size], axis=-1)


def _centres(box_ltwh: np.ndarray) -> np.ndarray:
    return box_ltwh[..., :2] + box_ltwh[..., 2:] / 2


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1; one that is nearly 0 stays so."""
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-6)
