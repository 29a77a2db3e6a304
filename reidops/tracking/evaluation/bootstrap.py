"""Confidence intervals of the difference between two arms, over people, windows or sequences.

Both arms are compared on the same units (paired). The interval is a jackknife: each unit is left out once, and identity
and association are computed again from the rest (`windows.WindowTables`). The influence of each unit on the difference
follows (Efron and Tibshirani 1993, chapter 11), and the influences give the standard error.

- The units of IDF1, HOTA and AssA are people. An identity switch changes these scores in every window of the person, so
  windows depend on a common event and their variance is too small. The tracks of different people are nearly
  independent.
- The units of MOTA and IDSW, which count errors per frame, are windows. Neighbouring windows are dependent, so the
  variance is the low-frequency part of the series of influences: its projections on the first B = ⌊n^(2/3)⌋ cosines
  (Lazarus, Lewis, Stock and Watson 2018), with the quantile of Student's t for B degrees of freedom.
- `over_windows` gives the interval over windows for every score. For IDF1 it uses the plain variance, B = n − 1: a
  switch makes a track right before it and wrong after it, so its windows differ by the whole cost of the switch.

People and sequences are treated as independent, B = n − 1. Student's t widens the interval if there are few units.
Below `LEAST_UNITS` units there is no interval. `benchmarks/intervals.py` measures how often equal models differ
significantly, and the coverage by number of units.
"""

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.special import stdtrit

from reidops.tracking.evaluation.windows import FrameTables, window_scores

LEVEL = 0.95
LEAST_UNITS = 5
PLAIN_VARIANCE = ("IDF1",)
OF_PEOPLE = ("IDF1", "HOTA", "AssA")
PEOPLE, WINDOWS, SEQUENCES = "people", "windows", "sequences"


@dataclass(frozen=True)
class Interval:
    """A confidence interval at LEVEL, its number of units, and the kind of unit: people, windows or sequences."""

    low: float
    high: float
    units: int
    unit: str = WINDOWS


@dataclass(frozen=True)
class LeaveOneOut:
    """The counts behind the scores of a sequence: in total, without each window, and without each person.

    Counts of several sequences are added to get those of the sequences together; see `WindowTables.counts`.

    Attributes:
        whole: [NUM_COUNTS].
        without: [num_windows, NUM_COUNTS].
        without_people: [num_people, NUM_COUNTS]; a person is removed with the boxes of tracks that HOTA matches to
            them. CLEAR's errors stay.
    """

    whole: np.ndarray
    without: np.ndarray
    without_people: np.ndarray

    @classmethod
    def of(cls, tables: FrameTables, length: int) -> "LeaveOneOut":
        """Return the counts of a sequence, with windows of about `length` frames."""
        windows, people = tables.windows(length), tables.people_apart()
        num_people = len(people) - 1  # the last row holds boxes of tracks without a person
        weights = np.hstack([1 - np.eye(num_people), np.ones((num_people, 1))])
        return cls(windows.counts()[0], windows.counts(1 - np.eye(len(windows))), people.counts(weights))

    def __len__(self) -> int:
        return len(self.without)

    def __add__(self, other: "LeaveOneOut") -> "LeaveOneOut":
        """Return the counts of two copies of one video; their windows and people are left out together."""
        return LeaveOneOut(
            self.whole + other.whole, self.without + other.without, self.without_people + other.without_people
        )


def best_intervals(ours: Rows[LeaveOneOut], theirs: Rows[LeaveOneOut]) -> dict[str, Interval | None]:
    """Return, for each score, the interval of ours − theirs over its units: people or windows."""
    people, windows = over_people(ours, theirs), over_windows(ours, theirs)
    return {name: people[name] if name in OF_PEOPLE else windows[name] for name in windows}


def over_people(ours: Rows[LeaveOneOut], theirs: Rows[LeaveOneOut]) -> dict[str, Interval | None]:
    """Return, for each score of OF_PEOPLE, the interval of ours − theirs over the people of all videos.

    It is None below LEAST_UNITS people.

    Args:
        ours, theirs: of each video, with the same people.
    """
    without = [_left_out(side, [video.without_people for video in side]) for side in (ours, theirs)]
    intervals = _intervals(_total(ours), _total(theirs), *without, slow=len(without[0]) - 1, unit=PEOPLE)
    return {name: intervals[name] for name in OF_PEOPLE}


def over_windows(ours: Rows[LeaveOneOut], theirs: Rows[LeaveOneOut]) -> dict[str, Interval | None]:
    """Return, for each score, the interval of ours − theirs over the windows of all videos.

    It is None below LEAST_UNITS windows.

    Args:
        ours, theirs: of each video, with the same windows.
    """
    num_windows = sum(map(len, ours))
    without = [_left_out(side, [video.without for video in side]) for side in (ours, theirs)]
    return _intervals(_total(ours), _total(theirs), *without, slow=int(num_windows ** (2 / 3)), unit=WINDOWS)


def over_sequences(ours: Rows[LeaveOneOut], theirs: Rows[LeaveOneOut]) -> dict[str, Interval | None]:
    """Return, for each score, the interval of ours − theirs over videos; None below LEAST_UNITS videos."""
    without = [np.stack([_total(side) - video.whole for video in side]) for side in (ours, theirs)]
    return _intervals(_total(ours), _total(theirs), *without, slow=len(ours) - 1, unit=SEQUENCES)


def margin(influences: np.ndarray, num_projections: int) -> np.ndarray:
    """Return half the width of the interval of a mean, from the influences of its units in order of time.

    Args:
        influences: float [num_units, ...], at least LEAST_UNITS; for a plain mean these are its values.
        num_projections: B in 1 … num_units − 1; num_units − 1 treats the units as independent.
    """
    num_units = len(influences)
    place = (np.arange(num_units) + 0.5) / num_units
    cosines = np.sqrt(2 / num_units) * np.cos(np.pi * np.arange(1, num_projections + 1)[:, None] * place)
    variance = (np.tensordot(cosines, influences, axes=1) ** 2).mean(axis=0)
    return stdtrit(num_projections, (1 + LEVEL) / 2) * np.sqrt(variance / num_units)


def _total(side: Rows[LeaveOneOut]) -> np.ndarray:
    return reduce(np.add, (video.whole for video in side))


def _left_out(side: Rows[LeaveOneOut], without: Rows[np.ndarray]) -> np.ndarray:
    """Return the counts of all videos without each unit, [num_units, NUM_COUNTS]; `without` holds each video's."""
    total = _total(side)
    return np.concatenate([total - video.whole + rows for video, rows in zip(side, without, strict=True)])


def _intervals(
    ours: np.ndarray, theirs: np.ndarray, ours_without: np.ndarray, theirs_without: np.ndarray, *, slow: int, unit: str
) -> dict[str, Interval | None]:
    """Return the intervals of all scores; `slow` is the number of projections for scores other than IDF1."""
    better, worse, better_without, worse_without = (
        window_scores(counts) for counts in (ours, theirs, ours_without, theirs_without)
    )
    num_units = len(ours_without)
    if num_units < LEAST_UNITS:
        return dict.fromkeys(better)
    intervals: dict[str, Interval | None] = {}
    for name in better:
        difference, without = better[name] - worse[name], better_without[name] - worse_without[name]
        half = margin((num_units - 1) * (without.mean() - without), num_units - 1 if name in PLAIN_VARIANCE else slow)
        intervals[name] = Interval(float(difference - half), float(difference + half), num_units, unit)
    return intervals
