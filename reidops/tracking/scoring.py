"""The official scores of tracks: TrackEval's CLEAR, Identity and HOTA after MOTChallenge's preprocessing.

The preprocessing is done once, here; TrackEval and motmetrics (events.py) score the same `Comparison`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from trackeval.metrics import CLEAR, HOTA, Identity

from reidops.errors import ReidopsError
from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb

# What TrackEval takes off a threshold, so that an overlap of exactly one half is a match.
_EPS = np.finfo(float).eps
MATCH_IOU = 0.5

PEDESTRIAN = 1
_DISTRACTORS = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection

Results = dict[str, dict[str, Any]]  # TrackEval's result of each metric, with the counts that combining needs


@dataclass(frozen=True)
class Rules:
    """What a MOTChallenge year leaves out of the scores: tracks on `distractors`, ground truth of other classes."""

    distractors: tuple[int, ...]
    has_classes: bool = True


def rules_of(dataset: str) -> Rules:
    """Return the rules of MOT15 (no classes), MOT20 (class 6 too is a distractor), or, for every other set, MOT17."""
    if dataset == "MOT15":
        return Rules(distractors=(), has_classes=False)
    return Rules(_DISTRACTORS + (6,) if dataset == "MOT20" else _DISTRACTORS)


@dataclass(frozen=True)
class Comparison:
    """Ground truth beside tracks, frame by frame, after the preprocessing.

    Attributes:
        frames: 1-based numbers.
        gt_ids, tracker_ids: of each frame, an int array, as they stand in the files.
        similarities: of each frame, IoU [num_gt, num_tracks].
    """

    frames: list[int]
    gt_ids: list[np.ndarray]
    tracker_ids: list[np.ndarray]
    similarities: list[np.ndarray]


@dataclass(frozen=True)
class TrackingScores:
    """Fractions in 0 … 1 (MOTA may be negative) and, from IDSW on, counts. MOTP is the mean IoU of the matches."""

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
    """Return ground truth and tracks of some frames as they are scored (TrackEval's preprocessing).

    A track box that is assigned, among *all* ground truth, to a distractor is removed; then only considered pedestrians stay.

    Raises:
        ReidopsError: an identity appears twice in one frame.
    """
    frames = list(frames)
    truth, found = _by_frame(annotations, "annotations"), _by_frame(tracks, "tracks")
    compared = [_compare_frame(truth.get(f, annotations[:0]), found.get(f, tracks[:0]), rules) for f in frames]
    gt_ids, tracker_ids, similarities = ([c[part] for c in compared] for part in range(3))
    return Comparison(frames, gt_ids, tracker_ids, similarities)


def official_results(comparison: Comparison) -> Results:
    """Return what TrackEval says of one sequence, by metric."""
    data = _trackeval_data(comparison)
    return {name: metric.eval_sequence(data) for name, metric in _metrics().items()}


def combine_results(by_sequence: Mapping[str, Results]) -> Results:
    """Return the results of several sequences as one, from their counts."""
    return {
        name: metric.combine_sequences({sequence: results[name] for sequence, results in by_sequence.items()})
        for name, metric in _metrics().items()
    }


def official_scores(results: Results) -> TrackingScores:
    """Return the named scores of TrackEval's results; HOTA, DetA and AssA are means over its 19 thresholds."""
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


def _by_frame(rows: pd.DataFrame, what: str) -> dict[int, pd.DataFrame]:
    twice = rows.duplicated(["frame", "track_id"])
    if twice.any():
        first = rows[twice].iloc[0]
        identity, frame = int(first["track_id"]), int(first["frame"])
        raise ReidopsError(f"{what}: identity {identity} appears twice in frame {frame}; it can be in one place only")
    return {int(frame): group for frame, group in rows.groupby("frame")}


def _compare_frame(truth: pd.DataFrame, found: pd.DataFrame, rules: Rules) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gt ids, tracker ids and their IoU after the preprocessing of one frame."""
    similarities = iou_matrix(_box_ltrb(truth), _box_ltrb(found))
    kept_tracks = ~_on_distractors(similarities, truth["class_id"].to_numpy(), rules)
    kept_truth = truth["considered"].to_numpy(dtype=bool)
    if rules.has_classes:
        kept_truth = kept_truth & (truth["class_id"].to_numpy() == PEDESTRIAN)
    gt_ids, tracker_ids = truth["track_id"].to_numpy(dtype=int), found["track_id"].to_numpy(dtype=int)
    return gt_ids[kept_truth], tracker_ids[kept_tracks], similarities[np.ix_(kept_truth, kept_tracks)]


def _on_distractors(similarities: np.ndarray, class_ids: np.ndarray, rules: Rules) -> np.ndarray:
    """Return, for each track box, whether it is assigned to a distractor."""
    scores = np.where(similarities >= MATCH_IOU - _EPS, similarities, 0)
    rows, columns = linear_sum_assignment(-scores)
    removed = (scores[rows, columns] > _EPS) & np.isin(class_ids[rows], rules.distractors)
    return np.isin(np.arange(similarities.shape[1]), columns[removed])


def _box_ltrb(rows: pd.DataFrame) -> np.ndarray:
    return ltwh_to_ltrb(rows[["left", "top", "width", "height"]].to_numpy(dtype=float))


def _trackeval_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison in the form that TrackEval's metrics read: ids count from 0."""
    gt_ids, num_gt_ids = _numbered(comparison.gt_ids)
    tracker_ids, num_tracker_ids = _numbered(comparison.tracker_ids)
    return {
        "num_timesteps": len(comparison.frames),
        "gt_ids": gt_ids,
        "tracker_ids": tracker_ids,
        "similarity_scores": comparison.similarities,
        "num_gt_ids": num_gt_ids,
        "num_tracker_ids": num_tracker_ids,
        "num_gt_dets": sum(map(len, gt_ids)),
        "num_tracker_dets": sum(map(len, tracker_ids)),
    }


def _numbered(ids_by_frame: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Return the ids renumbered from 0 in ascending order, and how many there are."""
    known = np.unique(np.concatenate([np.zeros(0, int), *ids_by_frame]))
    return [np.searchsorted(known, ids) for ids in ids_by_frame], len(known)
