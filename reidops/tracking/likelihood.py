"""What a cosine distance says about two crops: a table of log likelihood ratios."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reidops.errors import ReidopsError


@dataclass(frozen=True)
class LikelihoodTable:
    """The log ratio of the densities of a distance: for crops of one person, over those of two people.

    A value above 0 supports one person, a value below 0 two people. Between the rows it is interpolated linearly;
    outside it is that of the first or the last row.

    Attributes:
        distances: ascending, [num_rows].
        log_ratios: not increasing, [num_rows].
    """

    distances: np.ndarray
    log_ratios: np.ndarray

    def __call__(self, distances: np.ndarray) -> np.ndarray:
        """Return the log ratio of each distance, in the same shape."""
        return np.interp(distances, self.distances, self.log_ratios)


def read_table(rows: Sequence[Sequence[float]]) -> LikelihoodTable:
    """Return a table from its rows [distance, log ratio], as calibration.json has them.

    Raises:
        ReidopsError: fewer than two rows, distances that do not ascend, or log ratios that increase.
    """
    values = np.asarray(rows, dtype=float)
    if values.ndim != 2 or values.shape[1] != 2 or len(values) < 2 or not np.isfinite(values).all():
        raise ReidopsError("a likelihood table needs two or more rows [distance, log ratio] of finite numbers")
    if (np.diff(values[:, 0]) <= 0).any() or (np.diff(values[:, 1]) > 0).any():
        raise ReidopsError("a likelihood table needs ascending distances and log ratios that do not increase")
    return LikelihoodTable(values[:, 0], values[:, 1])


def linear_rows(zero: float, slope: float, limit: float) -> tuple[tuple[float, float], ...]:
    """Return the rows of a table that falls linearly and is 0 at one distance.

    Args:
        zero: the distance that says nothing.
        slope: decrease of the log ratio per unit of distance, > 0.
        limit: largest absolute log ratio.
    """
    return ((zero - limit / slope, limit), (zero + limit / slope, -limit))
