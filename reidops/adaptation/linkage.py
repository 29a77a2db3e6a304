"""Average linkage on a sparse graph, with pairs that must not be joined.

Two clusters are joined while their mean distance is the smallest and at most a limit; pairs that the graph lacks have
the distance 1. Average linkage is reducible (Bruynooghe 1977), so all pairs of clusters that are each other's nearest
are joined in one pass, with the same result as one after another. A pair that must not be joined stays so when one of
its clusters grows, which keeps that property.
"""

import numpy as np
from scipy import sparse


def average_linkage(graph: sparse.csr_array, forbidden: sparse.csr_array, limit: float) -> np.ndarray:
    """Return the cluster of each unit, 0 … C − 1, [U].

    Args:
        graph: symmetric distances below 1, [U, U].
        forbidden: symmetric, non-zero for pairs that must not be joined, [U, U].
        limit: largest mean distance of two clusters that are joined, below 1.
    """
    labels, sizes = np.arange(graph.shape[0]), np.ones(graph.shape[0])
    near = sparse.csr_array(graph, dtype=np.float64, copy=True)
    near.data = 1 - near.data
    forbidden = sparse.csr_array(forbidden, dtype=np.float64)
    while True:
        near = _without(near, forbidden)
        joined = _join_nearest(near, sizes, 1 - limit)
        if joined is None:
            return labels
        labels = joined[labels]
        sizes = np.bincount(joined, sizes)
        near, forbidden = (_merge(matrix, joined) for matrix in (near, forbidden))


def _without(near: sparse.csr_array, forbidden: sparse.csr_array) -> sparse.csr_array:
    """Return the graph without the forbidden pairs, which can never be joined again."""
    if not forbidden.nnz:
        return near
    left = near - near.multiply(forbidden.astype(bool))
    left.eliminate_zeros()
    return left.tocsr()


def _join_nearest(near: sparse.csr_array, sizes: np.ndarray, least: float) -> np.ndarray | None:
    """Return the new number of each cluster after joining all mutual nearest ones; None if there are none.

    Args:
        near: sums of 1 − distance over the pairs of two clusters.
        least: smallest mean of 1 − distance of clusters that are joined.
    """
    num = near.shape[0]
    rows = np.repeat(np.arange(num), np.diff(near.indptr))
    means = near.data / (sizes[rows] * sizes[near.indices])
    kept = means >= least
    rows, columns, means = rows[kept], near.indices[kept], means[kept]
    if not len(rows):
        return None
    order = np.lexsort((columns, -means, rows))
    first = order[np.unique(rows[order], return_index=True)[1]]
    nearest = np.arange(num)
    nearest[rows[first]] = columns[first]
    is_mutual = nearest[nearest] == np.arange(num)
    head = np.where(is_mutual, np.minimum(nearest, np.arange(num)), np.arange(num))
    return np.unique(head, return_inverse=True)[1]


def _merge(matrix: sparse.csr_array, joined: np.ndarray) -> sparse.csr_array:
    """Return the sums over the pairs of the joined clusters, exactly symmetric and without a diagonal."""
    upper = sparse.triu(matrix, k=1).tocoo()
    one, other = joined[upper.row], joined[upper.col]
    apart = one != other
    low, high = np.minimum(one, other)[apart], np.maximum(one, other)[apart]
    num = joined.max() + 1
    half = sparse.coo_array((upper.data[apart], (low, high)), shape=(num, num)).tocsr()
    return (half + half.T).tocsr()
