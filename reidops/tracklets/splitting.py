"""Split tracks where two people may have been exchanged, so that every tracklet shows one person."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.tracklets.rules import JoinRules

GAP, JUMP, GROWTH, CUT, OVERLAP = "gap", "jump", "growth", "camera cut", "overlap"
REASONS = (OVERLAP, CUT, GAP, JUMP, GROWTH)
_START = "start"
_SPEED_BOXES = 4  # boxes from which the speed is estimated


@dataclass(frozen=True)
class Split:
    """The boxes of the tracklets with the column `piece`, 0 … n − 1, and the number of splits by reason.

    `num_short` is the number of pieces with fewer boxes than `min_length`, which are left out.
    """

    boxes: pd.DataFrame
    reasons: Counter
    num_short: int


def split_tracks(boxes: pd.DataFrame, times: np.ndarray, cuts: Collection[int], rules: JoinRules) -> Split:
    """Return the pure pieces of tracks.

    A box that overlaps another one by more than `max_overlap` belongs to no piece, and the track is split there.

    Args:
        boxes: frame, box, track and overlap, ordered by track and frame; the track −1 is left out.
        times: time of each frame in seconds, [length]; frame 1 is the first.
        cuts: numbers of the frames that follow a camera cut.
    """
    tracked = boxes[boxes["track"] >= 0]
    crowded = (tracked["overlap"] > rules.max_overlap).to_numpy()
    clear = tracked[~crowded].reset_index(drop=True)
    reason = _reasons(clear, times, np.sort(np.array(list(cuts), int)), rules)
    passed = np.cumsum(crowded)[~crowded]  # crowded boxes up to each clear one
    reason[(np.diff(passed, prepend=passed[:1]) > 0) & (reason != _START)] = OVERLAP
    piece = np.cumsum(reason != "") - 1
    lengths = np.bincount(piece, minlength=1)[piece] if len(piece) else piece
    kept = clear.assign(piece=piece)[lengths >= rules.min_length]
    number = kept.groupby("piece", sort=True).ngroup()
    counts = Counter(word for word in reason.tolist() if word in REASONS)
    num_short = len(np.unique(piece[lengths < rules.min_length])) if len(piece) else 0
    return Split(kept.assign(piece=number).reset_index(drop=True), counts, num_short)


def _reasons(boxes: pd.DataFrame, times: np.ndarray, cuts: np.ndarray, rules: JoinRules) -> np.ndarray:
    """Return why a piece begins at each box, "" where it goes on; `_START` at the first box of a track. str [n]."""
    reason = np.full(len(boxes), "", dtype=object)
    if not len(boxes):
        return reason
    frame, track = boxes["frame"].to_numpy(), boxes["track"].to_numpy()
    height = boxes["height"].to_numpy()
    before = np.r_[0, np.arange(len(boxes) - 1)]
    ratio = np.maximum(height / height[before], height[before] / height)
    reason[ratio > rules.max_growth] = GROWTH
    reason[_jumps(boxes, times, rules.max_jump)] = JUMP
    reason[frame - frame[before] > rules.max_gap + 1] = GAP
    num_cuts = np.searchsorted(cuts, frame, side="right")
    reason[num_cuts != num_cuts[before]] = CUT
    reason[track != track[before]] = _START
    reason[0] = _START
    return reason


def _jumps(boxes: pd.DataFrame, times: np.ndarray, max_jump: float) -> np.ndarray:
    """Return whether each box is far from where the last boxes of its track lead, bool [n].

    The expected position is that of the mean speed over the last boxes, so that the second box of a track is none.
    """
    frame, track, height = (boxes[name].to_numpy() for name in ("frame", "track", "height"))
    centre = (boxes[["left", "top"]].to_numpy() + boxes[["width", "height"]].to_numpy() / 2).astype(float)
    second = times[np.clip(frame - 1, 0, len(times) - 1)]
    jumps = np.zeros(len(boxes), bool)
    start = 0
    for row in range(1, len(boxes)):
        if track[row] != track[row - 1] or jumps[row - 1]:
            start = row if track[row] != track[row - 1] else row - 1
        first, last = max(start, row - _SPEED_BOXES), row - 1
        if track[row] != track[last] or first == last:
            continue
        passed = second[last] - second[first]
        speed = (centre[last] - centre[first]) / passed if passed > 0 else np.zeros(2)
        expected = centre[last] + speed * (second[row] - second[last])
        jumps[row] = np.linalg.norm(centre[row] - expected) > max_jump * height[row]
    return jumps
