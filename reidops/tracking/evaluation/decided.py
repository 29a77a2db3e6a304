"""What appearance decided: how many associations, from what the tracker weighed, and whether it changed a track at all.

A pair of track and detection counts as decided by appearance when
- the stage that made it has appearance in its cost (a stage that goes by overlap or by the last sighting alone has
  not),
- appearance was distances for it and lies within its gate (in a tracker without such a gate: was weighed), and
- overlap alone would not have made it: it is not among the pairs of the assignment that overlaps most in all, of all
  tracks and detections of the frame, in which no pair overlaps less than the tracker's own overlap gate asks for.

So a swap counts (two people who cross, each of whom the other's track overlaps more), and so does a return to where no
track is expected; a track that motion alone would have found at a distance counts too, for no overlap would have found
it.

A pair counts as reordered when appearance ranks the tracks of its detection in another order than the control does:
- the stage that made it has appearance in its cost, and appearance was distances for it;
- another track has a smaller cost without appearance for the same detection. That cost is the Mahalanobis distance
  where the tracker weighs one, as its arm without appearance does, else 1 − IoU. Only tracks of the same kind
  (confirmed, or not) for which appearance was distances and which the motion gate lets pass are compared; ties count as
  the control's;
- the embedding of the pair's track is nearer to the detection than that of the track that the control ranks first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reidops.tracking import bytetrack, deepsort, ocsort
from reidops.tracking.association import match
from reidops.tracking.decisions import APPEARANCE, MOTION, OVERLAP, Decisions
from reidops.tracking.evaluation.arm_names import APPEARANCE as MODEL
from reidops.tracking.evaluation.arm_names import NO_APPEARANCE

# Stages in which appearance may forbid a pair, but makes none.
STAGES_WITHOUT_APPEARANCE = (deepsort.OVERLAPPING, bytetrack.SECOND, ocsort.LOW_SCORE, ocsort.RECOVERED)


@dataclass(frozen=True)
class Decided:
    """Numbers of associations: all, those that appearance decided, and those that it reordered; see the module."""

    num_pairs: int = 0
    num_decided: int = 0
    num_reordered: int = 0

    def __add__(self, other: "Decided") -> "Decided":
        return Decided(
            self.num_pairs + other.num_pairs,
            self.num_decided + other.num_decided,
            self.num_reordered + other.num_reordered,
        )

    @property
    def share(self) -> float:
        """Return the share that appearance decided, 0 where nothing was associated."""
        return self.num_decided / max(1, self.num_pairs)


def count_decided(decisions: Decisions | None) -> Decided:
    """Return how many of a frame's pairs appearance decided and reordered; None = nothing was weighed."""
    if decisions is None:
        return Decided()
    pairs = [(row, column) for row, column, stage in decisions.pairs if stage not in STAGES_WITHOUT_APPEARANCE]
    distances = decisions.terms.get(APPEARANCE)
    if not pairs or distances is None:
        return Decided(len(decisions.pairs))
    overlap = decisions.terms[OVERLAP]
    # A gate of 1 − IoU = 1 lets pairs through that do not touch: no overlap, no pair.
    limit = min(decisions.limits.get(OVERLAP, 1.0), np.nextafter(1.0, 0.0))
    by_overlap = set(match(np.where(np.isnan(overlap), np.inf, overlap), limit))
    gate = decisions.limits.get(APPEARANCE, np.inf)
    num_decided = sum(pair not in by_overlap and bool(distances[pair] <= gate) for pair in pairs)
    return Decided(len(decisions.pairs), num_decided, sum(_is_reordered(decisions, *pair) for pair in pairs))


def _is_reordered(decisions: Decisions, row: int, column: int) -> bool:
    """Tell whether appearance prefers the pair's track to the one that the control ranks first for this detection."""
    appearance, control = (
        decisions.terms[APPEARANCE][:, column],
        decisions.terms.get(MOTION, decisions.terms[OVERLAP])[:, column],
    )
    is_shown = decisions.track_ids >= 0
    candidates = (is_shown == is_shown[row]) & ~np.isnan(appearance) & ~np.isnan(control)
    if MOTION in decisions.terms:
        candidates &= control <= decisions.limits.get(MOTION, np.inf)
    if not candidates[row]:
        return False
    first = int(np.where(candidates, control, np.inf).argmin())
    return bool(control[first] < control[row] and appearance[row] < appearance[first])


def equal_tracks(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Tell whether two tables hold the same boxes in the same tracks, whatever numbers the tracks have."""
    first, second = (_sorted_boxes(table) for table in (one, other))
    return first.shape == second.shape and bool(np.array_equal(first, second))


def _sorted_boxes(tracks: pd.DataFrame) -> np.ndarray:
    """Return frame and box of each row in one order, and its track numbered by first appearance in it, [n, 6]."""
    names = ["frame", "left", "top", "width", "height"]
    ordered = tracks.sort_values(names)
    return np.column_stack([ordered[names].to_numpy(dtype=float), ordered["track_id"].factorize()[0]])


# What limits the say of appearance in each tracker, and the constant that changes it.
_LIMITS_OF_APPEARANCE = {
    "deepsort": "it compares embeddings only inside the motion gate (constant motion_gate {motion_gate}); set "
    "motion_gate: null, or"
    " reassociate above 0, to let appearance find a track anywhere",
    "strongsort": "it compares embeddings only inside the motion gate (constant motion_gate {motion_gate}); set "
    "motion_gate: null, or"
    " reassociate above 0, to let appearance find a track anywhere",
    "botsort": "it uses appearance only where 1 − IoU is at most the constant proximity {proximity}; raise proximity "
    "to 1.0 to let"
    " appearance decide",
    "deepocsort": "it pairs only boxes that overlap by the constant iou {iou}, and weighs appearance only in frames "
    "where overlap leaves a"
    " choice; lower iou, and set as_coded: false, to let appearance decide more",
}


def appearance_rule(tracker: str, constants: Any) -> str:
    """Return what limits the say of appearance in a tracker and which constant changes it; empty for one without
    appearance.

    Args:
        constants: the tracker's dataclass of constants.
    """
    return _LIMITS_OF_APPEARANCE[tracker].format(**vars(constants)) if tracker in _LIMITS_OF_APPEARANCE else ""


def appearance_statement(tracks: Mapping[str, Sequence[pd.DataFrame]], tracker: str, rule: str) -> str:
    """Return a sentence where the embeddings changed no track, with the reason and the remedy; empty where they changed
    some.

    Args:
        tracks: arm → tables of the sequences, in one order for all arms.
        rule: see `appearance_rule`.
    """
    control = tracks[NO_APPEARANCE]
    unchanged = [arm for arm, tables in tracks.items() if all(map(equal_tracks, tables, control))]
    if len(unchanged) == len(tracks) > 1:
        return f"{tracker}'s rules leave appearance no say on these sequences: all arms give the same tracks; {rule}"
    if MODEL in unchanged:
        return (
            f"the model's embeddings change no track of {tracker} on these sequences, those of another arm do; {rule}"
        )
    return ""
