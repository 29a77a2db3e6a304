"""Statistics of a running tracker: decisions by appearance, and the decisions themselves if they fit in memory."""

import numpy as np

from reidops.tracking.decisions import Decisions
from reidops.tracking.evaluation.decided import Decided, count_decided
from reidops.tracking.evaluation.moments import Moment
from reidops.tracking.trackers import Tracker

# A frame of MOT17-04 needs 0.1 MB, so its sequence is kept; that of a crowd is not.
MOST_BYTES = 256 * 2**20


class Watch:
    """A callback after each frame (`track_sequence(watch=…)`).

    Attributes:
        decided: number of associations that appearance decided so far.
    """

    def __init__(self, *, keeps: bool) -> None:
        """Start empty; with `keeps`, store the decisions, as the frames of interest are known only afterwards."""
        self.decided = Decided()
        self._kept: dict[int, tuple[list[int], Decisions]] | None = {} if keeps else None
        self._num_bytes = 0

    def __call__(self, frame: int, rows: list[int], tracker: Tracker) -> None:
        """Record a frame; `rows` are those of its detections."""
        decisions = tracker.decisions
        self.decided += count_decided(decisions)
        if self._kept is None or decisions is None:
            return
        self._kept[frame] = (rows, decisions)
        self._num_bytes += sum(values.nbytes for values in decisions.terms.values())
        if self._num_bytes > MOST_BYTES:
            self._kept = None

    def moments(self, wanted: set[int]) -> dict[int, Moment] | None:
        """Return the decisions of the wanted frames, by frame; None if they were too large to keep."""
        if self._kept is None:
            return None
        found = {frame: self._kept[frame] for frame in sorted(wanted) if frame in self._kept}
        return {
            frame: Moment(decisions, np.array(rows, dtype=int)[decisions.rows])
            for frame, (rows, decisions) in found.items()
        }
