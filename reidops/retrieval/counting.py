"""The rank of each positive, found by counting nearer and equally distant crops instead of sorting the gallery.

The rule for ties: ties count against the model. A gallery crop of another person at the same distance as a positive
ranks before the positive. A positive's rank is one plus the number of other people's crops that are not junk and at
most as far away; positives at the same distance take successive ranks. So no rank depends on the order of the gallery,
and an embedder that gives every crop the same embedding ranks every match last.
"""

import numpy as np


def rank_positives(distances: np.ndarray, positives: np.ndarray, junk: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the ranks of one query's positives, ascending and 1-based, and how many of them tie with a crop of
    somebody else.

    Args:
        distances: the query's row, [num_gallery].
        positives, junk: gallery rows, disjoint; at least one positive.
    """
    hits = np.sort(distances[positives])
    within = np.sort(distances[distances <= hits[-1]])
    left_out = np.sort(distances[junk])
    nearer, ahead = (
        within.searchsorted(hits, side) - hits.searchsorted(hits, side) - left_out.searchsorted(hits, side)
        for side in ("left", "right")
    )
    return ahead + np.arange(1, len(hits) + 1), int(np.count_nonzero(ahead > nearer))
