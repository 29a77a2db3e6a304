"""What went wrong in which frame: motmetrics' event table, and its CLEAR and identity counts.

motmetrics is also a second opinion on TrackEval's figures. The two differ by intent in what carries a pairing forward (the last
match ever against the frame before), in MT (≥ 0.8 against > 0.8) and in Frag.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import motmetrics
import numpy as np
import pandas as pd

from reidops.tracking.scoring import MATCH_IOU, Comparison, Results, TrackingScores, official_scores

_METRICS = (
    "num_objects", "num_detections", "num_misses", "num_false_positives", "num_switches", "num_fragmentations",
    "mostly_tracked", "mostly_lost", "idtp", "idfp", "idfn", "motp",
)  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """What motmetrics counted; sums of sequences are counts again. `distance` is the sum of 1 − IoU over the matches."""

    num_objects: int = 0
    num_detections: int = 0
    num_misses: int = 0
    num_false_positives: int = 0
    num_switches: int = 0
    num_fragmentations: int = 0
    mostly_tracked: int = 0
    mostly_lost: int = 0
    idtp: int = 0
    idfp: int = 0
    idfn: int = 0
    distance: float = 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @property
    def mota(self) -> float:
        """Return 1 − (misses + false positives + switches) / objects; 0 where there is nobody, as TrackEval has it."""
        errors = self.num_misses + self.num_false_positives + self.num_switches
        return 1 - errors / self.num_objects if self.num_objects else 0.0

    @property
    def idf1(self) -> float:
        """Return the share of boxes that keep their identity under the best one-to-one naming of tracks."""
        return 2 * self.idtp / max(1, 2 * self.idtp + self.idfp + self.idfn)


def accumulate(comparison: Comparison) -> motmetrics.MOTAccumulator:
    """Return motmetrics' record of a comparison; distances are ours, for its own need NumPy 1."""
    accumulator = motmetrics.MOTAccumulator()
    for frame, gt_ids, tracker_ids, similarities in zip(
        comparison.frames, comparison.gt_ids, comparison.tracker_ids, comparison.similarities, strict=True
    ):
        distances = np.where(similarities >= MATCH_IOU, 1 - similarities, np.nan)
        accumulator.update(gt_ids, tracker_ids, distances, frameid=frame)
    return accumulator


def count_events(accumulator: motmetrics.MOTAccumulator) -> Counts:
    """Return motmetrics' counts of one sequence."""
    row = motmetrics.metrics.create().compute(accumulator, metrics=list(_METRICS), return_dataframe=False)
    distance = row.pop("motp") * row["num_detections"] if row["num_detections"] else 0.0
    row.pop("motp", None)
    return Counts(**{name: int(value) for name, value in row.items()}, distance=float(distance))


def event_table(accumulator: motmetrics.MOTAccumulator) -> pd.DataFrame:
    """Return one row per event: frame, event (MATCH, SWITCH, MISS, FP, …), track_id, tracker_id (−1 = none), iou.

    `track_id` is the identity in the ground truth.
    """
    events = accumulator.mot_events.reset_index()
    ids = {name: events[column].fillna(-1).astype(int) for name, column in (("track_id", "OId"), ("tracker_id", "HId"))}
    return pd.DataFrame({"frame": events["FrameId"].astype(int), "event": events["Type"].astype(str), **ids, "iou": 1 - events["D"]})


def reported_scores(counts: Counts, results: Results) -> TrackingScores:
    """Return the scores as reported: CLEAR and identity by motmetrics, HOTA by TrackEval."""
    official = official_scores(results)
    return TrackingScores(
        MOTA=counts.mota,
        IDF1=counts.idf1,
        HOTA=official.HOTA,
        DetA=official.DetA,
        AssA=official.AssA,
        MOTP=1 - counts.distance / counts.num_detections if counts.num_detections else 0.0,
        IDSW=counts.num_switches,
        FP=counts.num_false_positives,
        FN=counts.num_misses,
        MT=counts.mostly_tracked,
        ML=counts.mostly_lost,
        Frag=counts.num_fragmentations,
    )


def combine_counts(counts: Iterable[Counts]) -> Counts:
    """Return the sum over sequences."""
    return sum(counts, Counts())
