"""Association of detections with tracks: gated assignment and the matching cascade.

A cost matrix is [num_tracks, num_detections]; an infinite cost forbids a pair. A pair is (track row, detection column).
Trackers that match in stages use (row, column, stage name).
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

Pair = tuple[int, int]
StagedPair = tuple[int, int, str]
Numbers = np.ndarray | Sequence[int]


def match(costs: np.ndarray, limit: float) -> list[Pair]:
    """Return the assignment of least total cost, where each unmatched track costs `limit`.

    No pair costs more than `limit`. Two pairs replace one pair of lower cost only if this reduces the total cost.
    """
    allowed = costs <= limit
    if not allowed.any():
        return []
    rows, columns = linear_sum_assignment(np.where(allowed, costs, limit))
    return _passing(rows, columns, allowed[rows, columns])


def match_best(costs: np.ndarray, limit: float) -> list[Pair]:
    """Return the full assignment of least total cost, without the pairs that cost more than `limit` (SORT)."""
    if not costs.size:
        return []
    rows, columns = linear_sum_assignment(costs)
    return _passing(rows, columns, costs[rows, columns] <= limit)


def match_among(costs: np.ndarray, limit: float, tracks: Numbers, detections: Numbers) -> list[Pair]:
    """Match a subset of rows with a subset of columns of a cost matrix; pairs hold the indices of the full matrix."""
    if not (len(tracks) and len(detections)):
        return []
    tracks, detections = np.asarray(tracks, int), np.asarray(detections, int)
    rows, columns = split_pairs(match(costs[tracks[:, None], detections], limit))
    return list(zip(tracks[rows].tolist(), detections[columns].tolist(), strict=True))


def match_cascade(costs: np.ndarray, limit: float, tracks: Numbers, ages: Numbers) -> list[Pair]:
    """Match tracks in increasing order of their age, as the prediction of recent tracks is more certain (DeepSORT,
    listing 1).

    Args:
        costs: [num_tracks, num_detections].
        tracks: rows of the tracks to match.
        ages: frames since the last match of each of them, 1 = matched in the previous frame.
    """
    pairs: list[Pair] = []
    tracks, ages = np.asarray(tracks, dtype=int), np.asarray(ages, dtype=int)
    # in long sequences most lost tracks have no detection within the gate
    has_candidate = (costs[tracks] <= limit).any(axis=1)
    tracks, ages = tracks[has_candidate], ages[has_candidate]
    for age in sorted(set(ages.tolist())):
        pairs += match_among(costs, limit, tracks[ages == age], free_columns(costs, pairs))
    return pairs


def free_columns(costs: np.ndarray, pairs: Iterable[Pair | StagedPair]) -> list[int]:
    """Return the unmatched detections, in order."""
    taken = {pair[1] for pair in pairs}
    return [column for column in range(costs.shape[1]) if column not in taken]


def free_rows(costs: np.ndarray, pairs: Iterable[Pair | StagedPair]) -> list[int]:
    """Return the unmatched tracks, in order."""
    taken = {pair[0] for pair in pairs}
    return [row for row in range(costs.shape[0]) if row not in taken]


def staged(pairs: Iterable[Pair], stage: str) -> list[StagedPair]:
    """Add the stage name to each pair."""
    return [(row, column, stage) for row, column in pairs]


def split_pairs(pairs: Sequence[Pair | StagedPair]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and the columns of pairs, two arrays [num_pairs]."""
    return np.array([pair[0] for pair in pairs], dtype=int), np.array([pair[1] for pair in pairs], dtype=int)


def _passing(rows: np.ndarray, columns: np.ndarray, passes: np.ndarray) -> list[Pair]:
    """Return the pairs of rows and columns, [num_pairs] each, that pass, a mask [num_pairs]."""
    return list(zip(rows[passes].tolist(), columns[passes].tolist(), strict=True))
