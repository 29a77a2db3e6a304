"""Compute difference hashes of pictures and find the nearest ones, to detect near-duplicates.

Each of the 64 bits of a difference hash (dHash) states whether one cell of an 8 × 8 grid is darker than its right
neighbour. Encoding or scaling a picture again changes few bits; crops of different people differ in about 20 to 40.
"""

import cv2
import numpy as np

NUM_BITS = 64
_BLOCK = 256


def difference_hash(grey: np.ndarray) -> int:
    """Return the dHash of a picture, uint8 [height, width], as an unsigned integer of 64 bits."""
    return int(np.packbits(difference_bits(grey, 8)).view(np.uint64)[0])


def difference_bits(grey: np.ndarray, cells: int) -> np.ndarray:
    """Return whether each cell is darker than its right neighbour, bool [cells, cells].

    Args:
        grey: uint8 [height, width].
    """
    small = cv2.resize(grey, (cells + 1, cells), interpolation=cv2.INTER_AREA)
    return small[:, 1:] > small[:, :-1]


def nearest_hashes(hashes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the nearest of `others` to each hash, and the Hamming distance in bits, int64 [N] each.

    The search is exact: every pair is compared, block by block. Of equally near ones the first is returned. The
    distance is 65 if `others` is empty. Both arguments are uint64.
    """
    nearest = np.zeros(len(hashes), dtype=np.int64)
    distances = np.full(len(hashes), NUM_BITS + 1, dtype=np.int64)
    for start in range(0, len(hashes) if len(others) else 0, _BLOCK):
        block = slice(start, start + _BLOCK)
        differing = np.bitwise_count(hashes[block, None] ^ others[None])
        nearest[block] = differing.argmin(axis=1)
        distances[block] = differing.min(axis=1)
    return nearest, distances
