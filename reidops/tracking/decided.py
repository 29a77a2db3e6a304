"""How many associations appearance decided, from what the tracker weighed.

A pair of track and detection counts as decided by appearance when
- the stage that made it has appearance in its cost (a stage that goes by overlap or by the last sighting alone has not),
- appearance was weighed for it and lies within its gate (in a tracker without such a gate: was weighed), and
- overlap alone would not have made it: it is not among the pairs of the assignment that overlaps most in all, of all tracks and
  detections of the frame, in which no pair overlaps less than the tracker's own overlap gate asks for.

So a swap counts (two people who cross, each of whom the other's track overlaps more), and so does a return to where no track is
expected; a track that motion alone would have found at a distance counts too, for no overlap would have found it.
"""

from dataclasses import dataclass

import numpy as np

from reidops.tracking import bytetrack, deepsort, ocsort
from reidops.tracking.association import match
from reidops.tracking.decisions import APPEARANCE, OVERLAP, Decisions

# Stages in which appearance may forbid a pair, but makes none.
BLIND_STAGES = (deepsort.OVERLAPPING, bytetrack.SECOND, ocsort.UNSURE, ocsort.RECOVERED)


@dataclass(frozen=True)
class Decided:
    """Numbers of associations: all, and those that appearance decided."""

    num_pairs: int = 0
    num_decided: int = 0

    def __add__(self, other: "Decided") -> "Decided":
        return Decided(self.num_pairs + other.num_pairs, self.num_decided + other.num_decided)

    @property
    def share(self) -> float:
        """Return the share that appearance decided, 0 where nothing was associated."""
        return self.num_decided / max(1, self.num_pairs)


def count_decided(decisions: Decisions | None) -> Decided:
    """Return how many of a frame's pairs appearance decided; None = nothing was weighed."""
    if decisions is None:
        return Decided()
    pairs = [(row, column) for row, column, stage in decisions.pairs if stage not in BLIND_STAGES]
    weighed = decisions.terms.get(APPEARANCE)
    if not pairs or weighed is None:
        return Decided(len(decisions.pairs))
    overlap = decisions.terms[OVERLAP]
    # A gate of 1 − IoU = 1 lets pairs through that do not touch: no overlap, no pair.
    limit = min(decisions.limits.get(OVERLAP, 1.0), np.nextafter(1.0, 0.0))
    by_overlap = set(match(np.where(np.isnan(overlap), np.inf, overlap), limit))
    gate = decisions.limits.get(APPEARANCE, np.inf)
    return Decided(len(decisions.pairs), sum(pair not in by_overlap and bool(weighed[pair] <= gate) for pair in pairs))
