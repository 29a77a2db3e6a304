"""The rank of each positive, by counting what lies nearer instead of sorting the gallery.

The rule for ties: a positive's rank is one plus the number of gallery crops that are not junk and strictly nearer. Positives
at one distance, which the rule would give one rank, take successive ranks from it. So crops of other people at exactly a
positive's distance count as farther, and no rank depends on the gallery's order.
"""

import numpy as np


def rank_positives(distances: np.ndarray, positives: np.ndarray, junk: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the ranks of one query's positives, ascending and 1-based, and how many of them tie with a crop of somebody else.

    Args:
        distances: the query's row, [num_gallery].
        positives, junk: gallery rows, disjoint; at least one positive.
    """
    hits = np.sort(distances[positives])
    nearer = distances[distances <= hits[-1]]
    nearer.sort()
    left_out = np.sort(distances[junk])
    ahead = nearer.searchsorted(hits) - hits.searchsorted(hits) - left_out.searchsorted(hits)
    upto = nearer.searchsorted(hits, "right") - hits.searchsorted(hits, "right") - left_out.searchsorted(hits, "right")
    return ahead + np.arange(1, len(hits) + 1), int(np.count_nonzero(upto > ahead))
