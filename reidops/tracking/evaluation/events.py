"""Events by frame, from the matches behind the scores, and the counts of motmetrics, the second scorer.

TrackEval and motmetrics differ by design in the matches that they continue (the previous frame's, or a person's last
one), in MT (> 0.8, or ≥ 0.8) and in Frag; see `report.scorer_table`. Every reported score is TrackEval's.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

import motmetrics
import numpy as np
import pandas as pd

from reidops.boxes.identities import MATCH_IOU
from reidops.tracking.evaluation.identity_assignment import assign_identities
from reidops.tracking.evaluation.overlaps import Comparison, joined
from reidops.tracking.evaluation.scoring import Results, TrackingScores, official_scores


@dataclass(frozen=True)
class Counts:
    """Counts of motmetrics; they add over sequences. `distance` is the sum of 1 − IoU over the matches."""

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
        """Return 1 − (misses + false positives + switches) / objects; 0 without objects, as in TrackEval."""
        errors = self.num_misses + self.num_false_positives + self.num_switches
        return 1 - errors / self.num_objects if self.num_objects else 0.0

    @property
    def idf1(self) -> float:
        """Return the share of boxes with the right identity under the best one-to-one assignment of tracks."""
        return 2 * self.idtp / max(1, 2 * self.idtp + self.idfp + self.idfn)


def accumulate(comparison: Comparison) -> motmetrics.MOTAccumulator:
    """Return motmetrics' accumulator of a comparison, with our distances: its own function needs NumPy 1."""
    accumulator = motmetrics.MOTAccumulator()
    for frame, gt_ids, tracker_ids, similarities in zip(
        comparison.frames, comparison.gt_ids, comparison.tracker_ids, comparison.similarities, strict=True
    ):
        distances = np.where(similarities >= MATCH_IOU, 1 - similarities, np.nan)
        accumulator.update(gt_ids, tracker_ids, distances, frameid=frame)
    return accumulator


def count_events(accumulator: motmetrics.MOTAccumulator) -> Counts:
    """Return motmetrics' counts of one sequence, computed from arrays of its events."""
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


def event_table(comparison: Comparison) -> pd.DataFrame:
    """Return one row per event: frame, event (MATCH, SWITCH, MISS or FP), track_id, tracker_id (−1 = none), iou.

    Rows are in order of frames. `track_id` is the identity in the ground truth. The numbers of the events are
    TrackEval's CLEAR counts.
    """
    pairs = comparison.overlaps
    found = pairs.clear
    frame, row, column = pairs.frame[found.rows], pairs.row[found.rows], pairs.column[found.rows]
    ids = {"track_id": _at(comparison.gt_ids, frame, row), "tracker_id": _at(comparison.tracker_ids, frame, column)}
    names = np.where(found.switched, "SWITCH", "MATCH").astype(object)
    held = pd.DataFrame({"frame": frame, "event": names, **ids, "iou": pairs.iou[found.rows]})
    missed = _unmatched(comparison.gt_ids, frame, row, "MISS", "track_id")
    false = _unmatched(comparison.tracker_ids, frame, column, "FP", "tracker_id")
    table = pd.concat([held, missed, false]).sort_values("frame", kind="stable", ignore_index=True)
    return table.assign(frame=np.array(comparison.frames, int)[table["frame"].to_numpy(int)])


def _at(ids_by_frame: list[np.ndarray], frame: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the ids at the given positions in frames, int [num_places]."""
    return joined(ids_by_frame)[_starts(ids_by_frame)[frame] + place]


def _unmatched(
    ids_by_frame: list[np.ndarray], frame: np.ndarray, place: np.ndarray, event: str, column: str
) -> pd.DataFrame:
    """Return an event for each id without a match; `frame` and `place` are the positions of the matches."""
    lengths = np.array([len(ids) for ids in ids_by_frame], int)
    alone = np.ones(lengths.sum(), dtype=bool)
    alone[_starts(ids_by_frame)[frame] + place] = False
    ids = {"track_id": -1, "tracker_id": -1, column: joined(ids_by_frame)[alone]}
    return pd.DataFrame(
        {"frame": np.repeat(np.arange(len(lengths)), lengths)[alone], "event": event, **ids, "iou": np.nan}
    )


def _starts(ids_by_frame: list[np.ndarray]) -> np.ndarray:
    """Return the position of each frame's first id in the concatenated ids, int [num_frames]."""
    return np.concatenate([[0], np.cumsum([len(ids) for ids in ids_by_frame])]).astype(int)[:-1]


@dataclass(frozen=True)
class _Record:
    """The events of motmetrics as arrays, one row per event in order of time; −1 = no id."""

    names: tuple[str, ...]
    codes: np.ndarray  # of each row, the index of its event in `names`
    track_id: np.ndarray
    tracker_id: np.ndarray
    distance: np.ndarray

    @classmethod
    def of(cls, accumulator: motmetrics.MOTAccumulator) -> "_Record":
        """Return the events of an accumulator; an event without a person or track has id −1."""
        events = accumulator.events
        kinds = events["Type"].cat
        track_id, tracker_id = (
            np.nan_to_num(events[column].to_numpy(), nan=-1).astype(int) for column in ("OId", "HId")
        )
        return cls(tuple(kinds.categories), kinds.codes.to_numpy(), track_id, tracker_id, events["D"].to_numpy())

    def types_are(self, *names: str) -> np.ndarray:
        """Return, for each event, whether it is one of these types."""
        return np.isin(self.codes, [self.names.index(name) for name in names])


def _tracked_ratios(track_id: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return, for each person, the share of their frames in which a track was matched to them."""
    _, person, frequency = np.unique(track_id, return_inverse=True, return_counts=True)
    return np.bincount(person, held, minlength=len(frequency)) / frequency


def _count_fragments(track_id: np.ndarray, held: np.ndarray) -> int:
    """Return how often a person was matched again after a miss."""
    order = np.argsort(track_id, kind="stable")
    person, held = track_id[order], held[order]
    found = np.flatnonzero(held)
    same_person = np.diff(person[found]) == 0
    return int((same_person & (np.diff(found) > 1)).sum())


def _identity_matches(record: _Record) -> int:
    """Return IDTP: the boxes in common under the best one-to-one assignment of tracks to people."""
    pairs = record.types_are("RAW") & np.isfinite(record.distance)
    _, person = np.unique(record.track_id[pairs], return_inverse=True)
    _, track = np.unique(record.tracker_id[pairs], return_inverse=True)
    together = np.zeros((person.max(initial=-1) + 1, track.max(initial=-1) + 1))
    np.add.at(together, (person, track), 1)
    return int(together[assign_identities(together)].sum())


def motmetrics_scores(counts: Counts, results: Results) -> TrackingScores:
    """Return motmetrics' CLEAR and identity scores, and TrackEval's HOTA, which motmetrics does not have."""
    return replace(
        official_scores(results),
        MOTA=counts.mota,
        IDF1=counts.idf1,
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
