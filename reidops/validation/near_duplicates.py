"""Near-duplicate crops on two sides of a split, by a perceptual hash.

The difference hash (dHash) of a crop says, for a grid of 8 × 8 cells, whether the picture gets brighter to the right.
Re-encoding or scaling a picture changes few of its 64 bits, another person's crop some 20 to 40.
"""

import cv2
import numpy as np

NUM_BITS = 64
_BLOCK = 256


def difference_hash(grey: np.ndarray) -> int:
    """Return the dHash of a picture, uint8 [height, width], as an unsigned integer of 64 bits."""
    return int(np.packbits(difference_bits(grey, 8)).view(np.uint64)[0])


def difference_bits(grey: np.ndarray, cells: int) -> np.ndarray:
    """Return for each of cells × cells places of a picture, uint8 [height, width], whether it gets brighter to the
    right, bool.
    """
    small = cv2.resize(grey, (cells + 1, cells), interpolation=cv2.INTER_AREA)
    return small[:, 1:] > small[:, :-1]


def nearest_hashes(hashes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every hash, the index of the first nearest of `others` and its Hamming distance in bits, int64 [N]
    each.

    Exact: every pair is compared, block by block. Both arguments are uint64; where there are no others the distance is
        65.
    """
    nearest = np.zeros(len(hashes), dtype=np.int64)
    distances = np.full(len(hashes), NUM_BITS + 1, dtype=np.int64)
    for start in range(0, len(hashes) if len(others) else 0, _BLOCK):
        block = slice(start, start + _BLOCK)
        differing = np.bitwise_count(hashes[block, None] ^ others[None])
        nearest[block] = differing.argmin(axis=1)
        distances[block] = differing.min(axis=1)
    return nearest, distances
