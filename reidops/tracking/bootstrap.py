"""How far a difference between two arms can be trusted: the same sequences, or windows of sequences, drawn again and again.

Both arms are drawn together (paired), so that a hard stretch is hard for both. Percentiles of the drawn differences are the interval.
Windows are taken as independent, which they are only roughly: a person who is lost stays lost in the next window, so intervals over
windows are rather too narrow than too wide. Intervals over sequences need no such belief, but several sequences:
from two only 3 different sets can be drawn, from three 10, so that such an interval is coarse.
"""

from collections.abc import Sequence as Rows
from dataclasses import dataclass

import numpy as np

from reidops.tracking.windows import window_scores

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where LEVEL of the drawn differences lie."""

    low: float
    high: float


def over_windows(ours: Rows[np.ndarray], theirs: Rows[np.ndarray], *, resamples: int, seed: int) -> dict[str, Interval]:
    """Return, for each score, the interval of ours − theirs when each sequence's windows are drawn anew, as many as it has.

    Args:
        ours, theirs: for each sequence its windows' counts, [num_windows, NUM_COUNTS], the same windows in both.
    """
    rng = np.random.default_rng(seed)
    weights = np.concatenate([_draws(len(windows), resamples, rng) for windows in ours], axis=1)
    return _intervals(weights, np.concatenate(ours), np.concatenate(theirs))


def over_sequences(ours: Rows[np.ndarray], theirs: Rows[np.ndarray], *, resamples: int, seed: int) -> dict[str, Interval] | None:
    """Return, for each score, the interval of ours − theirs when whole sequences are drawn anew; None where there is only one."""
    if len(ours) < 2:
        return None
    weights = _draws(len(ours), resamples, np.random.default_rng(seed))
    return _intervals(weights, *(np.stack([windows.sum(axis=0) for windows in side]) for side in (ours, theirs)))


def _draws(num_items: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each item is drawn in each resample, [resamples, num_items]; each row sums to num_items."""
    return rng.multinomial(num_items, np.full(num_items, 1 / num_items), size=resamples).astype(float)


def _intervals(weights: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Interval]:
    better, worse = window_scores(weights @ ours), window_scores(weights @ theirs)
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    return {name: Interval(*(float(q) for q in np.quantile(better[name] - worse[name], tails))) for name in better}
