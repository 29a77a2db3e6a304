"""Which detection belongs to which track: assignment with gates, the matching cascade.

A cost matrix is [num_tracks, num_detections]; infinity says "never". Pairs are (track row, detection column).
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

Pair = tuple[int, int]


def match(costs: np.ndarray, limit: float) -> list[Pair]:
    """Return the pairs that cost least together when each track that is left alone costs `limit`.

    No pair costs more than `limit`. Two poor pairs are made instead of one good one only where that is worth it.
    """
    allowed = costs <= limit
    if not allowed.any():
        return []
    rows, columns = linear_sum_assignment(np.where(allowed, costs, limit))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]


def match_among(costs: np.ndarray, limit: float, tracks: list[int], detections: list[int]) -> list[Pair]:
    """Match some rows with some columns of a cost matrix; pairs are numbered as in the whole matrix."""
    pairs = match(costs[np.ix_(tracks, detections)], limit)
    return [(tracks[row], detections[column]) for row, column in pairs]


def match_cascade(costs: np.ndarray, limit: float, tracks: list[int], ages: list[int]) -> list[Pair]:
    """Match the tracks that were seen last first, as their motion is known best (DeepSORT, listing 1).

    Args:
        costs: [num_tracks, num_detections].
        tracks: the rows that take part.
        ages: frames since each of them was seen, 1 = in the frame before.
    """
    pairs: list[Pair] = []
    for age in sorted(set(ages)):
        level = [row for row, a in zip(tracks, ages, strict=True) if a == age]
        pairs += match_among(costs, limit, level, free_columns(costs, pairs))
    return pairs


def free_columns(costs: np.ndarray, pairs: list[Pair]) -> list[int]:
    """Return the detections that no pair holds, in order."""
    taken = {column for _, column in pairs}
    return [column for column in range(costs.shape[1]) if column not in taken]


def free_rows(costs: np.ndarray, pairs: list[Pair]) -> list[int]:
    """Return the tracks that no pair holds, in order."""
    taken = {row for row, _ in pairs}
    return [row for row in range(costs.shape[0]) if row not in taken]
