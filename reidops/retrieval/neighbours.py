"""The nearest of many crops to each of them, without a sort of any row and without the matrix of all distances."""

from dataclasses import dataclass

import numpy as np

BLOCK_BYTES = 64 * 2**20
CELLS_AT_ONCE = 2**20  # so much of a block stays in the processor's cache from one pass to the next
CROPS_PER_GROUP = 16


@dataclass(frozen=True)
class Neighbours:
    """Who lies nearest to each of n crops: `index` [n, k + 1], nearest first, itself included; `farthest` [n], the
    largest distance.
    """

    index: np.ndarray
    farthest: np.ndarray


def nearest(crops: np.ndarray, k: int) -> Neighbours:
    """Return each crop's k nearest and itself; at equal distances the one that comes first in `crops`, unit rows [n,
    dim].
    """
    index, farthest = np.empty((len(crops), k + 1), np.int32), np.empty(len(crops), np.float32)
    block_size = max(1, BLOCK_BYTES // (4 * len(crops)))
    buffer = np.empty((min(block_size, len(crops)), len(crops)), np.float32)
    rows_at_once = max(1, CELLS_AT_ONCE // len(crops))
    for start in range(0, len(crops), block_size):
        block = crops[start : start + block_size]
        products = np.matmul(block, crops.T, out=buffer[: len(block)])
        for first in range(0, len(block), rows_at_once):
            part = products[first : first + rows_at_once]
            rows = slice(start + first, start + first + len(part))
            index[rows] = _greatest(part, k + 1)
            farthest[rows] = 1 - part.min(axis=1)
    return Neighbours(index, np.maximum(farthest, np.finfo(np.float32).tiny))


def _greatest(products: np.ndarray, k: int) -> np.ndarray:
    """Return the columns of each row's k greatest, the greatest first and of equal ones the first, [rows, k]."""
    flat = np.flatnonzero(products >= _lower_limits(products, k)[:, None])
    rows, columns = np.divmod(flat, products.shape[1])
    order = np.lexsort((-products.ravel()[flat], rows))
    first = rows.searchsorted(np.arange(len(products)))
    return columns[order[first[:, None] + np.arange(k)]]


def _lower_limits(products: np.ndarray, k: int) -> np.ndarray:
    """Return for each row what at least k of its products reach and few exceed, [rows].

    The columns are dealt to groups, and of each group only the greatest counts: k groups whose greatest reaches the
    limit hold k products that do. Crops of a person often stand side by side, so a group takes columns that are far
    apart.
    """
    num_groups = products.shape[1] // CROPS_PER_GROUP
    if num_groups < k:
        greatest = products
    else:
        dealt = products[:, : num_groups * CROPS_PER_GROUP].reshape(len(products), CROPS_PER_GROUP, num_groups)
        greatest = dealt.max(axis=1)
    place = greatest.shape[1] - k
    return np.partition(greatest, place, axis=1)[:, place]
