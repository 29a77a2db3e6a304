"""Compute the rank of each positive by counting nearer and equally distant crops instead of sorting the gallery.

Ties count against the model: a gallery crop of another person at the same distance as a positive ranks before the
positive. The rank of a positive is one plus the number of other people's crops that are not junk and not farther away;
positives at the same distance have successive ranks. So ranks do not depend on the order of the gallery, and an
embedder with equal embeddings for all crops ranks every match last.
"""

import numpy as np


def rank_positives(distances: np.ndarray, positives: np.ndarray, junk: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the 1-based ranks of one query's positives, ascending, and the number of ties with other people's crops.

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
