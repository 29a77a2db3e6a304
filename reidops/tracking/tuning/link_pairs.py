"""Pairs of tracks that train AFLink's network: ground-truth tracks are cut, and pieces of one or of two people paired.

After Du et al., "StrongSORT: Make DeepSORT great again", 2023, section 3.3. The paper trains on the annotations of
MOT17; the lengths of the pieces and the noise of their boxes are not given and chosen here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.tracking.link_network import track_windows

MAX_GAP = 30  # frames from the last of one piece to the first of the other
_MAX_LENGTH = 45  # boxes of a piece
_REACH = 1.2  # heights between the two ends of a pair of two people
_REAL = 0.8  # share of these pairs whose second piece is really there, if there is one; others are moved there
_CROWDED = 0.6  # share of the pairs that are cut where somebody else is nearby
_CROWD_REACH = 0.6  # heights to somebody nearby
_NOISE = (0.04, 0.08)  # largest standard deviation of a centre, x and y, as a share of the height
_PERSISTENCE = 0.7  # correlation of the noise of consecutive boxes
_DROPPED = 0.4  # largest share of boxes that a detector missed


@dataclass(frozen=True)
class LinkPairs:
    """Inputs of the network, [n, WINDOW, 3] each, and whether each pair is one person, [n]."""

    before: np.ndarray
    after: np.ndarray
    same: np.ndarray

    def __len__(self) -> int:
        return len(self.same)


def draw_pairs(scenes: Sequence[pd.DataFrame], num_pairs: int, rng: np.random.Generator) -> LinkPairs:
    """Return pairs of pieces, half of them of one person, with the noise and the gaps of detections.

    The other half is of two people of one scene, of whom one appears near to where the other was last seen.

    Args:
        scenes: ground truth of each scene: frame, track_id, left, top, width, height; px.

    Raises:
        ReidopsError: no scene has two tracks of some length.
    """
    tracks = [_with_crowd(_long_tracks(scene)) for scene in scenes]
    tracks = [found for found in tracks if len(found) > 1]
    if not tracks:
        raise ReidopsError("no scene has two tracks of at least 10 boxes; give other sequences, or draw streets")
    pairs: list[tuple[np.ndarray, np.ndarray, bool]] = []
    while len(pairs) < num_pairs:
        same = len(pairs) % 2 == 0
        pair = _draw_pair(tracks[int(rng.integers(len(tracks)))], rng, same=same)
        if pair is not None:
            pairs.append((*track_windows(_seen(pair[0], rng), _seen(pair[1], rng)), same))
    before, after, same_flags = zip(*pairs, strict=True)
    return LinkPairs(np.stack(before), np.stack(after), np.array(same_flags, np.float32))


def _long_tracks(scene: pd.DataFrame) -> list[np.ndarray]:
    """Return frame, centre x, centre y, height of each track of at least 10 boxes, [n, 4]."""
    centres = scene[["left", "top"]].to_numpy(dtype=float) + scene[["width", "height"]].to_numpy(dtype=float) / 2
    rows = np.column_stack([scene["frame"], centres, scene["height"]])
    order = np.lexsort((scene["frame"], scene["track_id"]))
    _, starts = np.unique(scene["track_id"].to_numpy()[order], return_index=True)
    return [track for track in np.split(rows[order], starts[1:]) if len(track) >= 10]


def _with_crowd(tracks: list[np.ndarray]) -> list[np.ndarray]:
    """Return the tracks with a fifth column: 1 where somebody else is nearby in the same frame, else 0."""
    rows = np.concatenate([np.zeros((0, 4)), *tracks])
    owner = np.repeat(np.arange(len(tracks)), [len(track) for track in tracks])
    crowded = np.zeros(len(rows))
    for frame in np.unique(rows[:, 0]):
        here = np.flatnonzero(rows[:, 0] == frame)
        distances = np.linalg.norm(rows[here, None, 1:3] - rows[here, 1:3], axis=2)
        np.fill_diagonal(distances, np.inf)
        crowded[here] = distances.min(axis=1) <= _CROWD_REACH * rows[here, 3]
    return [np.column_stack([track, crowded[owner == k]]) for k, track in enumerate(tracks)]


def _draw_pair(
    tracks: list[np.ndarray], rng: np.random.Generator, *, same: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the piece before a gap and the one after it; None if this draw has none."""
    first = tracks[int(rng.integers(len(tracks)))]
    ends = np.flatnonzero(first[:-1, 4]) if rng.random() < _CROWDED else np.arange(len(first) - 1)
    if not len(ends):
        return None
    end = int(rng.choice(ends))
    before = first[max(0, end + 1 - _log_uniform(_MAX_LENGTH, rng)) : end + 1]
    if same:
        start = int(np.searchsorted(first[:, 0], before[-1, 0] + _log_uniform(MAX_GAP, rng)))
        after = first[start : start + _log_uniform(_MAX_LENGTH, rng)]
        return None if not len(after) or after[0, 0] - before[-1, 0] > MAX_GAP else (before, after)
    others = [track for track in tracks if track is not first]
    near = _first_near(before[-1], others, rng) if rng.random() < _REAL else None
    return before, _moved(before, others, rng) if near is None else near


def _log_uniform(most: int, rng: np.random.Generator) -> int:
    """Return a whole number from 1 to `most`, each order of magnitude as often."""
    return int(np.exp(rng.uniform(0, np.log(most + 1))))


def _first_near(end: np.ndarray, others: list[np.ndarray], rng: np.random.Generator) -> np.ndarray | None:
    """Return a piece of somebody else that starts near the end of a track within the largest gap; None if none does."""
    for k in rng.permutation(len(others)):
        track = others[k]
        gap, reach = track[:, 0] - end[0], np.hypot(*(track[:, 1:3] - end[1:3]).T)
        rows = np.flatnonzero((gap > 0) & (gap <= MAX_GAP) & (reach <= _REACH * end[3]))
        if len(rows):
            start = int(rng.choice(rows))
            return track[start : start + _log_uniform(_MAX_LENGTH, rng)]
    return None


def _moved(before: np.ndarray, others: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return a piece of somebody else, moved in time and place to start near the end of a track."""
    track = others[int(rng.integers(len(others)))]
    start = int(rng.integers(len(track) - 1))
    piece = track[start : start + _log_uniform(_MAX_LENGTH, rng)].copy()
    end, angle = before[-1], rng.uniform(0, 2 * np.pi)
    reach = _REACH * end[3] * np.sqrt(rng.random())
    place = end[1:3] + reach * np.array([np.cos(angle), np.sin(angle)])
    target = np.array([end[0] + _log_uniform(MAX_GAP, rng), *place])
    piece[:, :3] += target - piece[0, :3]
    return piece


def _seen(piece: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a piece as a detector sees it: shaken, some boxes missed; its outermost boxes remain."""
    kept = rng.random(len(piece)) >= rng.uniform(0, _DROPPED)
    kept[[0, -1]] = True
    seen = piece[kept, :4].copy()
    noise = rng.normal(0, 1, (len(seen), 2))
    for row in range(1, len(seen)):
        noise[row] = _PERSISTENCE * noise[row - 1] + np.sqrt(1 - _PERSISTENCE**2) * noise[row]
    seen[:, 1:3] += noise * rng.uniform(0, _NOISE) * seen[:, 3:]
    return seen
