"""What went wrong in which frame: motmetrics' event table, and its CLEAR and identity counts.

motmetrics is also a second opinion on TrackEval's figures. The two differ by intent in what carries a pairing forward (the last
match ever against the frame before), in MT (≥ 0.8 against > 0.8) and in Frag; `report.scorer_table` tells why.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import motmetrics
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from reidops.tracking.scoring import MATCH_IOU, Comparison, Results, TrackingScores, official_scores


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
    """Return motmetrics' counts of one sequence, taken from its record as `motmetrics.metrics` takes them, but from arrays."""
    record = _Record.of(accumulator)
    held = record.types_are("MATCH", "SWITCH")
    misses, objects = record.types_are("MISS"), record.types_are("MISS", "MATCH", "SWITCH")
    ratios = _tracked_ratios(record.track_id[objects], held[objects])
    num_objects, num_predictions = int(objects.sum()), int((held | record.types_are("FP")).sum())
    idtp = _identity_matches(record)
    return Counts(
        num_objects=num_objects,
        num_detections=int(held.sum()),
        num_misses=int(misses.sum()),
        num_false_positives=int(record.types_are("FP").sum()),
        num_switches=int(record.types_are("SWITCH").sum()),
        num_fragmentations=_count_fragments(record.track_id[objects], held[objects]),
        mostly_tracked=int((ratios >= 0.8).sum()),
        mostly_lost=int((ratios < 0.2).sum()),
        idtp=idtp,
        idfp=num_predictions - idtp,
        idfn=num_objects - idtp,
        distance=float(record.distance[held].sum()),
    )


def event_table(accumulator: motmetrics.MOTAccumulator) -> pd.DataFrame:
    """Return one row per event: frame, event (MATCH, SWITCH, MISS, FP, …), track_id, tracker_id (−1 = none), iou.

    `track_id` is the identity in the ground truth.
    """
    record = _Record.of(accumulator)
    rows = ~record.types_are("RAW")
    names = np.array(record.names)[record.codes[rows]]
    ids = {"track_id": record.track_id[rows], "tracker_id": record.tracker_id[rows]}
    return pd.DataFrame({"frame": record.frame[rows], "event": names, **ids, "iou": 1 - record.distance[rows]})


@dataclass(frozen=True)
class _Record:
    """motmetrics' record as arrays, one row per event in order of time; −1 = nobody."""

    frame: np.ndarray
    names: tuple[str, ...]
    codes: np.ndarray  # of each row, the place of its event's name in `names`
    track_id: np.ndarray
    tracker_id: np.ndarray
    distance: np.ndarray

    @classmethod
    def of(cls, accumulator: motmetrics.MOTAccumulator) -> "_Record":
        events = accumulator.events
        ids = [np.nan_to_num(events[column].to_numpy(), nan=-1).astype(int) for column in ("OId", "HId")]
        frame = events.index.get_level_values(0).to_numpy().astype(int)
        return cls(frame, tuple(events["Type"].cat.categories), events["Type"].cat.codes.to_numpy(), *ids, events["D"].to_numpy())

    def types_are(self, *names: str) -> np.ndarray:
        """Return, for each event, whether it is of one of these kinds."""
        return np.isin(self.codes, [self.names.index(name) for name in names])


def _tracked_ratios(track_id: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return of each person the share of their frames in which a track held them."""
    _, person, frequency = np.unique(track_id, return_inverse=True, return_counts=True)
    return np.bincount(person, held, minlength=len(frequency)) / frequency


def _count_fragments(track_id: np.ndarray, held: np.ndarray) -> int:
    """Return how often somebody was lost and found again."""
    order = np.argsort(track_id, kind="stable")
    person, held = track_id[order], held[order]
    found = np.flatnonzero(held)
    same_person = np.diff(person[found]) == 0
    return int((same_person & (np.diff(found) > 1)).sum())


def _identity_matches(record: _Record) -> int:
    """Return IDTP: the boxes that lie on their person when each person has one track for good, as well as that can be."""
    pairs = record.types_are("RAW") & np.isfinite(record.distance)
    _, person = np.unique(record.track_id[pairs], return_inverse=True)
    _, track = np.unique(record.tracker_id[pairs], return_inverse=True)
    together = np.zeros((person.max(initial=-1) + 1, track.max(initial=-1) + 1))
    np.add.at(together, (person, track), 1)
    return int(together[linear_sum_assignment(-together)].sum())


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
