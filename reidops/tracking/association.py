"""Which detection belongs to which track: assignment with gates, the matching cascade.

A cost matrix is [num_tracks, num_detections]; infinity says "never". Pairs are (track row, detection column), and where a tracker
matches in stages, (row, column, stage's name).
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

Pair = tuple[int, int]
StagedPair = tuple[int, int, str]
Numbers = np.ndarray | Sequence[int]


def match(costs: np.ndarray, limit: float) -> list[Pair]:
    """Return the pairs that cost least together when each track that is left alone costs `limit`.

    No pair costs more than `limit`. Two poor pairs are made instead of one good one only where that is worth it.
    """
    allowed = costs <= limit
    if not allowed.any():
        return []
    rows, columns = linear_sum_assignment(np.where(allowed, costs, limit))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]


def match_best(costs: np.ndarray, limit: float) -> list[Pair]:
    """Return the pairs that cost least together when as many as can be are matched, but for those above `limit` (SORT)."""
    if not costs.size:
        return []
    rows, columns = linear_sum_assignment(costs)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if costs[r, c] <= limit]


def match_among(costs: np.ndarray, limit: float, tracks: Numbers, detections: Numbers) -> list[Pair]:
    """Match some rows with some columns of a cost matrix; pairs are numbered as in the whole matrix."""
    if not (len(tracks) and len(detections)):
        return []
    pairs = match(costs[np.ix_(tracks, detections)], limit)
    return [(int(tracks[row]), int(detections[column])) for row, column in pairs]


def match_cascade(costs: np.ndarray, limit: float, tracks: Numbers, ages: Numbers) -> list[Pair]:
    """Match the tracks that were seen last first, as their motion is known best (DeepSORT, listing 1).

    Args:
        costs: [num_tracks, num_detections].
        tracks: the rows that take part.
        ages: frames since each of them was seen, 1 = in the frame before.
    """
    pairs: list[Pair] = []
    tracks, ages = np.asarray(tracks, dtype=int), np.asarray(ages, dtype=int)
    hopeful = (costs[tracks] <= limit).any(axis=1)  # after many frames most lost tracks are near to nothing
    tracks, ages = tracks[hopeful], ages[hopeful]
    for age in sorted(set(ages.tolist())):
        pairs += match_among(costs, limit, tracks[ages == age], free_columns(costs, pairs))
    return pairs


def free_columns(costs: np.ndarray, pairs: Iterable[Pair | StagedPair]) -> list[int]:
    """Return the detections that no pair holds, in order."""
    taken = {pair[1] for pair in pairs}
    return [column for column in range(costs.shape[1]) if column not in taken]


def free_rows(costs: np.ndarray, pairs: Iterable[Pair | StagedPair]) -> list[int]:
    """Return the tracks that no pair holds, in order."""
    taken = {pair[0] for pair in pairs}
    return [row for row in range(costs.shape[0]) if row not in taken]


def staged(pairs: Iterable[Pair], stage: str) -> list[StagedPair]:
    """Return the pairs with the name of the stage that made them."""
    return [(row, column, stage) for row, column in pairs]


def split_pairs(pairs: Sequence[Pair | StagedPair]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the columns of pairs, two arrays [num_pairs]."""
    return np.array([pair[0] for pair in pairs], dtype=int), np.array([pair[1] for pair in pairs], dtype=int)
