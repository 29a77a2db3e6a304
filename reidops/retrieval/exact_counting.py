"""The rank of each positive of a block of queries, as if the products of their embeddings held no rounding error.

A float32 matrix product's last bits depend on how the machine cuts it up: on the block, the threads, the processor.
They decide only where they can. A crop of somebody else that lies within their error of a positive is compared with it
again in float64, pair by pair, so that every rank depends on the embeddings alone. The rule for ties is that of
`counting.py`.
"""

from dataclasses import dataclass

import numpy as np

from reidops.errors import ReidopsError
from reidops.retrieval.matches import Rows

# The float32 product of two unit rows of length D strays from the true one by D roundings at most, in whatever order
# its terms are summed: the terms' sizes sum to 1 at most (Cauchy and Schwarz). Most products stray by far less, but
# rows of a few round values do not: their roundings all go one way. A hundredth more stands for rows that are not quite
# unit.
ROUNDING = 1.01 * 2.0**-24
STEPS_PER_UNIT = 2**28
STEPS_PER_ROW = 4 * STEPS_PER_UNIT  # negative products lie in −1 … 1
PAIRS_AT_ONCE = 2**12
ROWS_AT_ONCE = 2**10
UNIT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class UnitRows:
    """The embeddings that a block of products is of, float32 unit rows [block, dim] and [num_gallery, dim]."""

    query: np.ndarray
    gallery: np.ndarray

    @property
    def error(self) -> float:
        """Return how far apart two float32 products must lie for their order to be certain: either may be off by half
        of it.
        """
        return 2 * ROUNDING * self.query.shape[1]

    def negative_products(self, rows: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return −(query row · gallery row) of pairs in float64, [len(rows)]; each depends on its own two rows only."""
        products = np.empty(len(rows))
        for start in range(0, len(rows), PAIRS_AT_ONCE):
            pairs = slice(start, start + PAIRS_AT_ONCE)
            factors = self.gallery[index[pairs]].astype(np.float64)
            factors *= self.query[rows[pairs]]
            factors.sum(axis=1, out=products[pairs])
        return -products


@dataclass(frozen=True)
class _Keys:
    """One whole number for a pair of a query row and a gallery crop, which sorts pairs by row, then distance, then
    crop.

    Sorting such numbers is several times faster than sorting distances and carrying rows and crops along. The distance
    is counted in steps far finer than the products' error.
    """

    num_gallery: int
    error: float

    def of(self, rows: np.ndarray, index: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """Return the keys of pairs, int64 [len(rows)]."""
        steps = ((distances.astype(np.float64) + 2) * STEPS_PER_UNIT).astype(np.int64)
        return (rows * STEPS_PER_ROW + steps) * self.num_gallery + index

    def around(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the greatest keys, both included, of pairs whose order to each of some keys is
        uncertain.
        """
        reach = (int(self.error * STEPS_PER_UNIT) + 2) * self.num_gallery
        return keys - reach, keys + reach

    def start(self, rows: np.ndarray) -> np.ndarray:
        """Return what no key of a row is less than."""
        return rows * (STEPS_PER_ROW * self.num_gallery)

    def pairs(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and the gallery crops that keys stand for."""
        return keys // (STEPS_PER_ROW * self.num_gallery), keys % self.num_gallery


def unit_rows(embeddings: np.ndarray, side: str) -> np.ndarray:
    """Return embeddings as contiguous float32 unit rows, [n, dim]; the argument itself where it already is that.

    Raises:
        ReidopsError: not a matrix, or a row is NaN, infinite or zero; names the first rows.
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
    """Return the ranks of all positives, row after row and ascending in each, 1-based, and how many tie with somebody
    else's crop.

    Args:
        distances: negative products of the embeddings, float32 [block, num_gallery]; written into.
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
        # Rivals counted in a hit's `ahead` may be unclear beside another hit of its row; `not_farther` counts those
        # again.
        twice = np.concatenate([[0], np.cumsum(among)])
        ahead[unclear] += not_farther - (twice[low] - twice[low - ahead])[unclear]
    return ahead[np.lexsort((ahead, rows))] + positives.places, num_tied


def _find_rivals(distances: np.ndarray, positives: Rows, junk: Rows, keys: _Keys) -> np.ndarray:
    """Return the sorted keys of other people's crops that are, or may be, nearer than their row's farthest positive."""
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
    """Return which places of 0 … size − 1 lie in one of the ranges low … high − 1, bool [size]."""
    edges = np.bincount(low, minlength=size + 1) - np.bincount(high, minlength=size + 1)
    return np.cumsum(edges)[:size] > 0


Pairs = tuple[np.ndarray, np.ndarray]


def _compare_exactly(hits: Pairs, rivals: Pairs, embeddings: UnitRows) -> tuple[np.ndarray, int]:
    """Return how many of the rivals in its row are at most as far away as each hit, [num_hits], and how many hits tie
    with a rival.
    """
    distances = np.concatenate([embeddings.negative_products(*hits), embeddings.negative_products(*rivals)])
    # whole numbers, to which a row can be added without rounding
    values, places = np.unique(distances, return_inverse=True)
    ours, theirs = places[: len(hits[0])] + hits[0] * len(values), places[len(hits[0]) :] + rivals[0] * len(values)
    theirs.sort()
    ahead = theirs.searchsorted(ours, "right")
    num_tied = int(np.count_nonzero(ahead > theirs.searchsorted(ours)))
    return ahead - rivals[0].searchsorted(hits[0]), num_tied


def _squares(rows: np.ndarray) -> np.ndarray:
    """Return each row's sum of squares in float64; it depends on that row only, as einsum's does not, whose buffers cut
    rows in two.
    """
    sums = np.empty(len(rows))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE].astype(np.float64)
        part *= part
        part.sum(axis=1, out=sums[start : start + ROWS_AT_ONCE])
    return sums
