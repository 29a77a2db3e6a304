"""Find the nearest neighbours of each crop without sorting rows and without the matrix of all distances."""

from dataclasses import dataclass

import numpy as np

BLOCK_BYTES = 64 * 2**20
CELLS_AT_ONCE = 2**20  # elements of a block that fit into the processor's cache between two passes
CROPS_PER_GROUP = 16


@dataclass(frozen=True)
class Neighbours:
    """Nearest neighbours of n crops: `index` [n, k + 1], nearest first and with the crop itself, and `farthest` [n].

    `farthest` is the largest distance of each crop to any crop.
    """

    index: np.ndarray
    farthest: np.ndarray


def nearest(crops: np.ndarray, k: int) -> Neighbours:
    """Return the k nearest neighbours of each crop and the crop itself; ties are ordered by row.

    Args:
        crops: unit rows, [n, dim].
    """
    index, farthest = np.empty((len(crops), k + 1), np.int32), np.empty(len(crops), np.float32)
    block_size = max(1, BLOCK_BYTES // (4 * len(crops)))
    buffer = np.empty((min(block_size, len(crops)), len(crops)), np.float32)
    rows_at_once = max(1, CELLS_AT_ONCE // len(crops))
    for start in range(0, len(crops), block_size):
        block = crops[start : start + block_size]
        products = np.matmul(block, crops.T, out=buffer[: len(block)])
        for first in range(0, len(block), rows_at_once):
            chunk = products[first : first + rows_at_once]
            rows = slice(start + first, start + first + len(chunk))
            index[rows] = _greatest(chunk, k + 1)
            farthest[rows] = 1 - chunk.min(axis=1)
    return Neighbours(index, np.maximum(farthest, np.finfo(np.float32).tiny))


def _greatest(products: np.ndarray, k: int) -> np.ndarray:
    """Return the columns of the k greatest products of each row, [rows, k], in descending order, ties by column."""
    flat = np.flatnonzero(products >= _lower_limits(products, k)[:, None])
    rows, columns = np.divmod(flat, products.shape[1])
    order = np.lexsort((-products.ravel()[flat], rows))
    first = rows.searchsorted(np.arange(len(products)))
    return columns[order[first[:, None] + np.arange(k)]]


def _lower_limits(products: np.ndarray, k: int) -> np.ndarray:
    """Return a lower limit for each row that at least k of its products reach and few others do, [rows].

    The columns are divided into groups, and the limit is the k-th greatest of the groups' maxima: then k groups have at
    least one product that reaches it. A group takes columns that are far apart, because crops of one person are often
    neighbouring columns.
    """
    num_groups = products.shape[1] // CROPS_PER_GROUP
    if num_groups < k:
        greatest = products
    else:
        grouped = products[:, : num_groups * CROPS_PER_GROUP].reshape(len(products), CROPS_PER_GROUP, num_groups)
        greatest = grouped.max(axis=1)
    place = greatest.shape[1] - k
    return np.partition(greatest, place, axis=1)[:, place]
