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
_LENGTHS = (2, 45)  # boxes of a piece
_REACH = 1.5  # heights between the two ends of a pair of two people
_REAL = 0.7  # share of these pairs whose second piece is really there, if there is one; others are moved there
_NOISE = 0.05  # largest standard deviation of a centre, as a share of the height
_DROPPED = 0.3  # largest share of boxes that a detector missed


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
    tracks = [_long_tracks(scene) for scene in scenes]
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


def _draw_pair(
    tracks: list[np.ndarray], rng: np.random.Generator, *, same: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the piece before a gap and the one after it; None if this draw has none."""
    first = tracks[int(rng.integers(len(tracks)))]
    end = int(rng.integers(1, len(first) - 1))
    before = first[max(0, end + 1 - int(rng.integers(*_LENGTHS))) : end + 1]
    if same:
        after = _from_frame(first, before[-1, 0] + int(rng.integers(1, MAX_GAP + 1)), rng)
        return None if after is None or after[0, 0] - before[-1, 0] > MAX_GAP else (before, after)
    others = [track for track in tracks if track is not first]
    near = _first_near(before[-1], others, rng) if rng.random() < _REAL else None
    return before, _moved(before, others, rng) if near is None else near


def _from_frame(track: np.ndarray, frame: float, rng: np.random.Generator) -> np.ndarray | None:
    """Return a piece that starts at the first box of a track at or after a frame; None if there is none."""
    start = int(np.searchsorted(track[:, 0], frame))
    return track[start : start + int(rng.integers(*_LENGTHS))] if start < len(track) else None


def _first_near(end: np.ndarray, others: list[np.ndarray], rng: np.random.Generator) -> np.ndarray | None:
    """Return a piece of somebody else that starts near the end of a track within the largest gap; None if none does."""
    for k in rng.permutation(len(others)):
        track = others[k]
        gap, reach = track[:, 0] - end[0], np.hypot(*(track[:, 1:3] - end[1:3]).T)
        rows = np.flatnonzero((gap > 0) & (gap <= MAX_GAP) & (reach <= _REACH * end[3]))
        if len(rows):
            start = int(rng.choice(rows))
            return track[start : start + int(rng.integers(*_LENGTHS))]
    return None


def _moved(before: np.ndarray, others: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return a piece of somebody else, moved in time and place to start near the end of a track."""
    track = others[int(rng.integers(len(others)))]
    start = int(rng.integers(len(track) - 1))
    piece = track[start : start + int(rng.integers(*_LENGTHS))].copy()
    end, angle = before[-1], rng.uniform(0, 2 * np.pi)
    reach = _REACH * end[3] * np.sqrt(rng.random())
    target = np.array(
        [end[0] + rng.integers(1, MAX_GAP + 1), *(end[1:3] + reach * np.array([np.cos(angle), np.sin(angle)]))]
    )
    piece[:, :3] += target - piece[0, :3]
    return piece


def _seen(piece: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a piece as a detector sees it: shaken, some boxes missed; its outermost boxes remain."""
    kept = rng.random(len(piece)) >= rng.uniform(0, _DROPPED)
    kept[[0, -1]] = True
    seen = piece[kept].copy()
    seen[:, 1:3] += rng.normal(0, rng.uniform(0, _NOISE), (len(seen), 2)) * seen[:, 3:]
    return seen
