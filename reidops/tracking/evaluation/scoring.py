"""Official scores: TrackEval's CLEAR, Identity and HOTA after MOTChallenge's preprocessing.

The preprocessing is done once, here. `counts` computes TrackEval's counts from it, and TrackEval computes the scores
from the counts. motmetrics (events.py) scores the same `Comparison`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from trackeval.metrics import CLEAR, HOTA, Identity

from reidops.boxes.identities import EPS, MATCH_IOU, match_boxes
from reidops.errors import ReidopsError
from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.mot.sequences import PEDESTRIAN
from reidops.tracking.evaluation.counts import clear_counts, hota_counts, identity_counts
from reidops.tracking.evaluation.overlaps import Comparison

_DISTRACTORS = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection

_OF_PEOPLE = ("MOTA", "MODA", "MOTAL", "sMOTA", "FP_per_frame")

Results = dict[str, dict[str, Any]]  # TrackEval's result of each metric, with the counts that are combined


@dataclass(frozen=True)
class Rules:
    """What a MOTChallenge year excludes from the scores: tracks on `distractors`, ground truth of other classes."""

    distractors: tuple[int, ...]
    has_classes: bool = True


def rules_of(dataset: str) -> Rules:
    """Return the rules of MOT15 (no classes), of MOT20 (class 6 is also a distractor), or MOT17's for other sets."""
    if dataset == "MOT15":
        return Rules(distractors=(), has_classes=False)
    return Rules(_DISTRACTORS + (6,) if dataset == "MOT20" else _DISTRACTORS)


@dataclass(frozen=True)
class TrackingScores:
    """Fractions in 0 … 1 (MOTA may be negative) and, from IDSW on, counts. MOTP is the mean IoU of matches."""

    MOTA: float
    IDF1: float
    HOTA: float
    DetA: float
    AssA: float
    MOTP: float
    IDSW: int
    FP: int
    FN: int
    MT: int
    ML: int
    Frag: int


def compare(annotations: pd.DataFrame, tracks: pd.DataFrame, frames: Iterable[int], rules: Rules) -> Comparison:
    """Return ground truth and tracks after TrackEval's preprocessing.

    A track box that is assigned, among *all* ground truth, to a distractor is removed. Then only considered pedestrians
    remain.

    Raises:
        ReidopsError: an identity appears twice in one frame.
    """
    frames = list(frames)
    truth, found = _boxes(annotations, "annotations", rules), _boxes(tracks, "tracks", rules)
    compared = [
        _compare_frame(of_truth, of_found)
        for of_truth, of_found in zip(truth.split(frames), found.split(frames), strict=True)
    ]
    gt_ids, tracker_ids, similarities = ([c[part] for c in compared] for part in range(3))
    return Comparison(frames, gt_ids, tracker_ids, similarities)


def official_results(comparison: Comparison) -> Results:
    """Return TrackEval's results of one sequence by metric, computed from the counts of `counts`."""
    overlaps = comparison.overlaps
    counted = {"CLEAR": clear_counts(overlaps), "Identity": identity_counts(overlaps), "HOTA": hota_counts(overlaps)}
    results = combine_results({"": counted})
    if not overlaps.num_boxes[0].any():  # TrackEval computes no ratio without annotations
        results["CLEAR"] |= dict.fromkeys(_OF_PEOPLE, 0)
    return results


def combine_results(by_sequence: Mapping[str, Results]) -> Results:
    """Return the results of several sequences together, from their counts."""
    return {
        name: metric.combine_sequences({sequence: results[name] for sequence, results in by_sequence.items()})
        for name, metric in _metrics().items()
    }


def official_scores(results: Results) -> TrackingScores:
    """Return the named scores of TrackEval's results; HOTA, DetA and AssA are means over 19 thresholds."""
    clear, hota = results["CLEAR"], results["HOTA"]
    return TrackingScores(
        MOTA=float(clear["MOTA"]),
        IDF1=float(results["Identity"]["IDF1"]),
        HOTA=float(np.mean(hota["HOTA"])),
        DetA=float(np.mean(hota["DetA"])),
        AssA=float(np.mean(hota["AssA"])),
        MOTP=float(clear["MOTP"]),
        IDSW=int(clear["IDSW"]),
        FP=int(clear["CLR_FP"]),
        FN=int(clear["CLR_FN"]),
        MT=int(clear["MT"]),
        ML=int(clear["ML"]),
        Frag=int(clear["Frag"]),
    )


def _metrics() -> dict[str, Any]:
    quiet = {"PRINT_CONFIG": False, "THRESHOLD": MATCH_IOU}
    return {"CLEAR": CLEAR(quiet), "Identity": Identity(quiet), "HOTA": HOTA()}


@dataclass(frozen=True)
class _Boxes:
    """Boxes in order of frames, as arrays: splitting a table into frames is too slow.

    `scored` marks the ground truth that counts, `distracts` the distractors; both are unused for tracks.
    """

    frame: np.ndarray
    track_id: np.ndarray
    box_ltrb: np.ndarray
    scored: np.ndarray
    distracts: np.ndarray

    def split(self, frames: list[int]) -> Iterator["_Boxes"]:
        """Yield the boxes of each frame."""
        for start, end in zip(
            np.searchsorted(self.frame, frames), np.searchsorted(self.frame, frames, "right"), strict=True
        ):
            yield _Boxes(*(getattr(self, f.name)[start:end] for f in fields(self)))


def _boxes(rows: pd.DataFrame, what: str, rules: Rules) -> _Boxes:
    frame, track_id = rows["frame"].to_numpy(int), rows["track_id"].to_numpy(int)
    order = np.lexsort([track_id, frame])
    twice = (np.diff(frame[order]) == 0) & (np.diff(track_id[order]) == 0)
    if twice.any():
        first = order[int(twice.argmax())]
        raise ReidopsError(
            f"{what}: identity {track_id[first]} appears twice in frame {frame[first]}; expected at most once"
        )
    order = np.argsort(frame, kind="stable")
    box_ltrb = ltwh_to_ltrb(rows[["left", "top", "width", "height"]].to_numpy(dtype=float)[order])
    scored, distracts = (flags[order] for flags in _flags(rows, rules))
    return _Boxes(frame[order], track_id[order], box_ltrb, scored, distracts)


def _flags(rows: pd.DataFrame, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each row, whether it is scored and whether it is a distractor; tracks have no class."""
    if "class_id" not in rows:
        return np.ones(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    class_id, considered = rows["class_id"].to_numpy(int), rows["considered"].to_numpy(dtype=bool)
    return considered & ((class_id == PEDESTRIAN) | (not rules.has_classes)), np.isin(class_id, rules.distractors)


def _compare_frame(truth: _Boxes, found: _Boxes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gt ids, tracker ids and their IoU after the preprocessing of one frame."""
    similarities = iou_matrix(truth.box_ltrb, found.box_ltrb)
    kept = ~_on_distractors(similarities, truth.distracts)
    return truth.track_id[truth.scored], found.track_id[kept], similarities[truth.scored][:, kept]


def _on_distractors(similarities: np.ndarray, distracts: np.ndarray) -> np.ndarray:
    """Return, for each track box, whether it is assigned to a distractor."""
    on_distractors = np.zeros(similarities.shape[1], dtype=bool)
    if (similarities[distracts] >= MATCH_IOU - EPS).any():  # else no box can be assigned to a distractor
        rows, columns = match_boxes(similarities)
        on_distractors[columns[distracts[rows]]] = True
    return on_distractors
