"""How many associations appearance decided, and whether it changed a track.

A pair of track and detection counts as decided by appearance if
- the cost of its stage includes appearance,
- the appearance distance was computed for it and is within the gate (without a gate: was computed), and
- IoU alone would not have made it: the pair is not in the assignment with the largest total IoU over all tracks and
  detections of the frame, restricted to pairs within the tracker's IoU gate.

This includes swaps (two people who cross, where each overlaps the other's track more) and returns to a position where
no track is predicted. It also includes a pair without overlap that motion alone would have found.

A pair counts as reordered if appearance ranks the tracks of its detection differently from the control:
- the cost of its stage includes appearance, and the distance was computed for it;
- another track has a smaller cost without appearance for the same detection. That cost is the Mahalanobis distance if
  the tracker computes one, as its arm without appearance does, else 1 − IoU. Only tracks of the same kind (confirmed or
  tentative) with an appearance distance and within the motion gate are compared. Ties do not count;
- the embedding of the pair's track is closer to the detection than that of the track that the control ranks first.
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

# Stages whose cost does not include appearance, though its gate may forbid a pair.
STAGES_WITHOUT_APPEARANCE = (deepsort.OVERLAPPING, bytetrack.SECOND, ocsort.LOW_SCORE, ocsort.RECOVERED)


@dataclass(frozen=True)
class Decided:
    """Numbers of associations: all, decided by appearance, and reordered by it; see the module."""

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
        """Return the share that appearance decided; 0 without associations."""
        return self.num_decided / max(1, self.num_pairs)


def count_decided(decisions: Decisions | None) -> Decided:
    """Return how many of a frame's pairs appearance decided and reordered; None = no decisions in this frame."""
    if decisions is None:
        return Decided()
    pairs = [(row, column) for row, column, stage in decisions.pairs if stage not in STAGES_WITHOUT_APPEARANCE]
    distances = decisions.terms.get(APPEARANCE)
    if not pairs or distances is None:
        return Decided(len(decisions.pairs))
    overlap = decisions.terms[OVERLAP]
    # A gate of 1 − IoU = 1 also allows pairs without overlap, which do not count here.
    limit = min(decisions.limits.get(OVERLAP, 1.0), np.nextafter(1.0, 0.0))
    by_overlap = set(match(np.where(np.isnan(overlap), np.inf, overlap), limit))
    gate = decisions.limits.get(APPEARANCE, np.inf)
    num_decided = sum(pair not in by_overlap and bool(distances[pair] <= gate) for pair in pairs)
    return Decided(len(decisions.pairs), num_decided, sum(_is_reordered(decisions, *pair) for pair in pairs))


def _is_reordered(decisions: Decisions, row: int, column: int) -> bool:
    """Tell whether appearance prefers the pair's track to the one that the control ranks first."""
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
    """Tell whether two tables hold the same boxes in the same tracks; track ids may differ."""
    first, second = (_sorted_boxes(table) for table in (one, other))
    return first.shape == second.shape and bool(np.array_equal(first, second))


def _sorted_boxes(tracks: pd.DataFrame) -> np.ndarray:
    """Return frame and box of each row in sorted order, and its track numbered by first appearance, [n, 6]."""
    names = ["frame", "left", "top", "width", "height"]
    ordered = tracks.sort_values(names)
    return np.column_stack([ordered[names].to_numpy(dtype=float), ordered["track_id"].factorize()[0]])


# The rule that limits appearance in each tracker, and the constant that changes it.
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
    "evidence": "it adds the evidence of motion and appearance, and motion is certain between near frames (constant "
    "speed_x {speed_x}); raise speed_x to let appearance decide more, or train a model that separates the held-out "
    "people better",
    "deepocsort": "it pairs only boxes that overlap by the constant iou {iou}, and weighs appearance only in frames "
    "where overlap leaves a"
    " choice; lower iou, and set as_coded: false, to let appearance decide more",
    "hybridsort": "it pairs only boxes whose height-modulated IoU is at least the constant iou {iou}; lower iou to let "
    "appearance decide more",
    "boosttrack": "it pairs only boxes that overlap by the constant iou {iou}, or by half of it within the gate; lower "
    "iou to let appearance decide more",
}


def appearance_rule(tracker: str, constants: Any) -> str:
    """Return which rule limits appearance in a tracker and which constant changes it; empty for one without appearance.

    Args:
        constants: the tracker's dataclass of constants.
    """
    return _LIMITS_OF_APPEARANCE[tracker].format(**vars(constants)) if tracker in _LIMITS_OF_APPEARANCE else ""


def appearance_statement(tracks: Mapping[str, Sequence[pd.DataFrame]], tracker: str, rule: str) -> str:
    """Return a sentence with reason and remedy if the embeddings changed no track; empty if they changed one.

    Args:
        tracks: arm → tables of the sequences, in the same order for all arms.
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
