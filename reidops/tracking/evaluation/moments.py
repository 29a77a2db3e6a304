"""The decisions of a tracker in one frame, with the boxes that they refer to."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.tracking.decisions import Decisions
from reidops.tracking.trackers import Tracker, tracked_frames


@dataclass(frozen=True)
class Term:
    """One term of a cost, and its gate (None = no gate); a value of NaN was not computed."""

    name: str
    value: float
    limit: float | None

    @property
    def weighed(self) -> bool:
        """Tell whether the tracker computed the term."""
        return not np.isnan(self.value)

    @property
    def blocks(self) -> bool:
        """Tell whether the value exceeds the gate."""
        return self.limit is not None and self.weighed and self.value > self.limit

    @property
    def passes(self) -> bool:
        """Tell whether the value is within the gate."""
        return self.limit is not None and self.weighed and self.value <= self.limit

    def __str__(self) -> str:
        """Return `appearance 0.62 > gate 0.50`."""
        if not self.weighed:
            return f"{self.name} not weighed"
        if self.limit is None:
            return f"{self.name} {number(self.value)}"
        value, limit = numbers_apart(self.value, self.limit)
        return f"{self.name} {value} {'>' if self.blocks else '≤'} gate {limit}"


@dataclass(frozen=True)
class Moment:
    """The decisions of one frame; `detections` [num_detections] are the rows of the sequence's table by column."""

    decisions: Decisions
    detections: np.ndarray

    def row_of(self, track_id: int) -> int | None:
        """Return the row of a track; None if it was removed or had not started."""
        rows = np.flatnonzero(self.decisions.track_ids == track_id)
        return int(rows[0]) if len(rows) and track_id >= 0 else None

    def column_of(self, detection: int) -> int | None:
        """Return the column of a row of the sequence's detections; None if the tracker did not use it."""
        columns = np.flatnonzero(self.detections == detection)
        return int(columns[0]) if len(columns) else None

    def pair_of_row(self, row: int | None) -> tuple[int, str] | None:
        """Return the detection that a track was matched to, and the stage; None if it was unmatched."""
        return next(((column, stage) for r, column, stage in self.decisions.pairs if r == row), None)

    def pair_of_column(self, column: int | None) -> tuple[int, str] | None:
        """Return the track that a detection was matched to, and the stage; None if it started a track."""
        return next(((row, stage) for row, c, stage in self.decisions.pairs if c == column), None)

    def terms(self, row: int | None, column: int | None) -> tuple[Term, ...]:
        """Return the terms of one track and one detection; empty if one of them is None."""
        if row is None or column is None:
            return ()
        limits = self.decisions.limits
        return tuple(
            Term(name, float(values[row, column]), limits.get(name)) for name, values in self.decisions.terms.items()
        )


def record_moments(
    tracker: Tracker, detected: EmbeddedDetections, frames: Iterable[int], wanted: set[int], *, appearance: bool = True
) -> dict[int, Moment]:
    """Return a new tracker's decisions in the wanted frames, by frame; it stops after the last of them.

    The wanted frames are known only after a first run. The decisions of all frames of a crowd need 1 MB per frame, so
    the deterministic tracker runs again.
    """
    moments = {}
    needed = takewhile(lambda frame: frame <= max(wanted, default=0), frames)
    for frame, rows, _ in tracked_frames(tracker, detected, needed, appearance=appearance):
        if frame in wanted and tracker.decisions is not None:
            moments[frame] = Moment(tracker.decisions, np.array(rows, dtype=int)[tracker.decisions.rows])
    return moments


def number(value: float, more_digits: int = 0) -> str:
    """Return a cost with at most three significant decimals: 0.62, 12.4, 1,203."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{digits + more_digits}f}"


def numbers_apart(value: float, limit: float) -> tuple[str, str]:
    """Return both values with as many digits as needed to distinguish them, at most four more."""
    more_digits = next((more for more in range(4) if value == limit or number(value, more) != number(limit, more)), 4)
    return number(value, more_digits), number(limit, more_digits)
