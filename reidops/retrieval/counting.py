"""The rank of each positive, by counting what lies nearer instead of sorting the gallery.

The rule for ties: a positive's rank is one plus the number of gallery crops that are not junk and strictly nearer. Positives
at one distance, which the rule would give one rank, take successive ranks from it. So crops of other people at exactly a
positive's distance count as farther, and no rank depends on the gallery's order.
"""

import numpy as np

# A float32 product of two unit rows of length D strays from the true one by a few times √D roundings at most; twice that, as
# two products are compared. What lies closer together is compared in float64.
ROUNDINGS = 4 * 2.0**-24


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


def rank_positives_exactly(distances: np.ndarray, positives: np.ndarray, junk: np.ndarray,
                           query: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, int]:
    """Return what `rank_positives` would if `distances` were the negative products of the embeddings without any rounding.

    `distances` holds float32 products, whose last bits depend on how the machine cuts a matrix product up. They decide only
    where they can: what lies within their error of a positive is computed again in float64, pair by pair.

    Args:
        distances: −(query · gallery row), float32 [num_gallery].
        query, gallery: unit rows, float32 [dim] and [num_gallery, dim].
    """
    error = np.float32(ROUNDINGS * np.sqrt(len(query)))
    hits = np.sort(distances[positives])
    nearer = distances[distances <= hits[-1] + error]
    nearer.sort()
    own = np.sort(np.concatenate([hits, distances[junk]]))
    low, high = hits - error, hits + error
    surely = nearer.searchsorted(low) - own.searchsorted(low)
    perhaps = nearer.searchsorted(high, "right") - own.searchsorted(high, "right")
    if np.array_equal(surely, perhaps):
        return surely + np.arange(1, len(hits) + 1), 0
    return _resolve(distances, positives, junk, query, gallery)


def _resolve(distances: np.ndarray, positives: np.ndarray, junk: np.ndarray,
             query: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, int]:
    """Rank with float64 distances wherever float32 cannot tell a positive from somebody else."""
    error = np.float32(ROUNDINGS * np.sqrt(len(query)))
    hits = np.sort(distances[positives])
    rivals = distances <= hits[-1] + error
    rivals[positives] = rivals[junk] = False
    rivals = np.flatnonzero(rivals)
    theirs = distances[rivals].astype(np.float64)
    unclear = hits.searchsorted(theirs - error) < hits.searchsorted(theirs + error, "right")
    theirs[unclear] = _negative_products(query, gallery, rivals[unclear])
    theirs.sort()
    hits = np.sort(_negative_products(query, gallery, positives))
    ahead, upto = theirs.searchsorted(hits), theirs.searchsorted(hits, "right")
    return ahead + np.arange(1, len(hits) + 1), int(np.count_nonzero(upto > ahead))


def _negative_products(query: np.ndarray, gallery: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return −(query · gallery row) in float64, [len(rows)]; each value depends on its own two rows only."""
    products = gallery[rows].astype(np.float64)
    products *= query
    return -products.sum(axis=1)
