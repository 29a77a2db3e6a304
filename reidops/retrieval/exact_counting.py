"""Compute the rank of each positive of a block of queries, independent of rounding errors of the matrix product.

The last bits of a float32 matrix product depend on the block size, the threads and the processor. Crops of other people
whose distance differs from a positive's by less than the rounding error are compared again in float64, pair by pair. So
ranks depend only on the embeddings. Ties are counted as in `counting.py`.
"""

from dataclasses import dataclass

import numpy as np

from reidops.errors import ReidopsError
from reidops.retrieval.matches import Rows

# The error of a float32 product of two unit rows of length D is at most D roundings, in any order of summation, because
# the absolute terms sum to at most 1 (Cauchy–Schwarz). Most products have a much smaller error, but rows of a few round
# values can reach the bound. The factor 1.01 allows for rows that are not exactly unit.
ROUNDING = 1.01 * 2.0**-24
STEPS_PER_UNIT = 2**28
STEPS_PER_ROW = 4 * STEPS_PER_UNIT  # negative products lie in −1 … 1
PAIRS_AT_ONCE = 2**12
ROWS_AT_ONCE = 2**10
UNIT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class UnitRows:
    """The embeddings of a block of queries and of the gallery, float32 unit rows [block, dim], [num_gallery, dim]."""

    query: np.ndarray
    gallery: np.ndarray

    @property
    def error(self) -> float:
        """Return the difference of two float32 products above which their order is certain."""
        return 2 * ROUNDING * self.query.shape[1]

    def negative_products(self, rows: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return −(query row · gallery row) of pairs in float64, [len(rows)]; each depends only on its two rows."""
        products = np.empty(len(rows))
        for start in range(0, len(rows), PAIRS_AT_ONCE):
            pairs = slice(start, start + PAIRS_AT_ONCE)
            factors = self.gallery[index[pairs]].astype(np.float64)
            factors *= self.query[rows[pairs]]
            factors.sum(axis=1, out=products[pairs])
        return -products


@dataclass(frozen=True)
class _Keys:
    """Integer keys of pairs of a query row and a gallery crop, ordered by row, distance and crop.

    Sorting keys is several times faster than sorting distances together with rows and crops. The distance is quantized
    in steps much smaller than the error of the products.
    """

    num_gallery: int
    error: float

    def of(self, rows: np.ndarray, index: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """Return the keys of pairs, int64 [len(rows)]."""
        steps = ((distances.astype(np.float64) + 2) * STEPS_PER_UNIT).astype(np.int64)
        return (rows * STEPS_PER_ROW + steps) * self.num_gallery + index

    def around(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the smallest and largest keys (inclusive) whose order relative to each of `keys` is uncertain."""
        reach = (int(self.error * STEPS_PER_UNIT) + 2) * self.num_gallery
        return keys - reach, keys + reach

    def start(self, rows: np.ndarray) -> np.ndarray:
        """Return a lower bound of the keys of each row."""
        return rows * (STEPS_PER_ROW * self.num_gallery)

    def pairs(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and gallery crops of the keys."""
        return keys // (STEPS_PER_ROW * self.num_gallery), keys % self.num_gallery


def unit_rows(embeddings: np.ndarray, side: str) -> np.ndarray:
    """Return embeddings as contiguous float32 unit rows, [n, dim]; the argument itself if it already is.

    Raises:
        ReidopsError: not a matrix, or a row is NaN, infinite or zero; the message lists the first rows.
    """
    rows = np.ascontiguousarray(embeddings, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ReidopsError(f"{side} embeddings have the shape {list(rows.shape)}, expected [n, dim]")
    lengths = np.sqrt(_squares(rows))
    broken = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(broken):
        named = ", ".join(map(str, broken[:5])) + (" …" if len(broken) > 5 else "")
        raise ReidopsError(
            f"{len(broken)} of {len(rows)} {side} embeddings are NaN, infinite or zero: rows {named}; embed these "
            f"crops again"
        )
    if np.abs(lengths - 1).max(initial=0) <= UNIT_TOLERANCE:
        return rows
    return (rows / lengths[:, None]).astype(np.float32)


def rank_block(distances: np.ndarray, positives: Rows, junk: Rows, embeddings: UnitRows) -> tuple[np.ndarray, int]:
    """Return the 1-based ranks of all positives, row by row and ascending, and the number of ties with other people.

    Args:
        distances: negative products of the embeddings, float32 [block, num_gallery]; modified in place.
        positives, junk: gallery rows of each row of the block, disjoint.
    """
    keys, rows = _Keys(distances.shape[1], embeddings.error), positives.queries
    hits = keys.of(rows, positives.index, distances[rows, positives.index])
    rivals = _find_rivals(distances, positives, junk, keys)
    low, high = map(rivals.searchsorted, keys.around(hits))
    ahead, num_tied = low - rivals.searchsorted(keys.start(rows)), 0
    unclear = low < high
    if unclear.any():
        among = _covered(low[unclear], high[unclear], len(rivals))
        not_farther, num_tied = _compare_exactly(keys.pairs(hits[unclear]), keys.pairs(rivals[among]), embeddings)
        # A rival that is clearly ahead of one hit may be unclear for another hit of the row. `not_farther` counts such
        # rivals again, so they are subtracted.
        twice = np.concatenate([[0], np.cumsum(among)])
        ahead[unclear] += not_farther - (twice[low] - twice[low - ahead])[unclear]
    return ahead[np.lexsort((ahead, rows))] + positives.places, num_tied


def _find_rivals(distances: np.ndarray, positives: Rows, junk: Rows, keys: _Keys) -> np.ndarray:
    """Return the sorted keys of other people's crops that may be nearer than the farthest positive of their row."""
    rows, num_gallery = positives.queries, distances.shape[1]
    limits = np.full((len(distances), 1), -np.inf, np.float32)
    np.maximum.at(limits[:, 0], rows, distances[rows, positives.index] + np.float32(2 * keys.error))
    for own in (positives, junk):
        distances[own.queries, own.index] = np.inf
    flat = np.flatnonzero(distances <= limits)
    ends = flat.searchsorted(np.arange(1, len(distances) + 1) * num_gallery)
    rows = np.repeat(np.arange(len(distances)), np.diff(ends, prepend=0))
    rivals = keys.of(rows, flat - rows * num_gallery, distances.ravel()[flat])
    for of_row in np.split(rivals, ends[:-1]):
        of_row.sort()
    return rivals


def _covered(low: np.ndarray, high: np.ndarray, size: int) -> np.ndarray:
    """Return whether each position 0 … size − 1 is in one of the ranges low … high − 1, bool [size]."""
    edges = np.bincount(low, minlength=size + 1) - np.bincount(high, minlength=size + 1)
    return np.cumsum(edges)[:size] > 0


Pairs = tuple[np.ndarray, np.ndarray]


def _compare_exactly(hits: Pairs, rivals: Pairs, embeddings: UnitRows) -> tuple[np.ndarray, int]:
    """Return the number of rivals in its row that are not farther than each hit, [num_hits], and the number of ties."""
    distances = np.concatenate([embeddings.negative_products(*hits), embeddings.negative_products(*rivals)])
    # Integers, to which a row offset can be added without rounding.
    values, places = np.unique(distances, return_inverse=True)
    ours, theirs = places[: len(hits[0])] + hits[0] * len(values), places[len(hits[0]) :] + rivals[0] * len(values)
    theirs.sort()
    ahead = theirs.searchsorted(ours, "right")
    num_tied = int(np.count_nonzero(ahead > theirs.searchsorted(ours)))
    return ahead - rivals[0].searchsorted(hits[0]), num_tied


def _squares(rows: np.ndarray) -> np.ndarray:
    """Return each row's sum of squares in float64, [n].

    The result of a row depends only on that row. That of einsum does not, because its buffers split rows.
    """
    sums = np.empty(len(rows))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = rows[start : start + ROWS_AT_ONCE].astype(np.float64)
        block *= block
        block.sum(axis=1, out=sums[start : start + ROWS_AT_ONCE])
    return sums
