"""State which count is zero where a tracked sequence has no people, detections or tracks, or an IDF1 of 0."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.boxes.identities import MATCH_IOU, NO_PERSON
from reidops.mot.sequences import PEDESTRIAN
from reidops.tracking.evaluation.scoring import Rules


@dataclass(frozen=True)
class DetectionCounts:
    """Detections of a sequence: `num` in the tracked frames, `kept` at or above `min_confidence`, highest score."""

    num: int
    kept: int
    highest: float
    min_confidence: float | None

    @classmethod
    def of(cls, confidence: np.ndarray, min_confidence: float | None) -> "DetectionCounts":
        """Return the counts of scores [n]."""
        kept = len(confidence) if min_confidence is None else int((confidence >= min_confidence).sum())
        return cls(len(confidence), kept, float(confidence.max()) if len(confidence) else 0.0, min_confidence)


def find_zeros(
    name: str, annotations: pd.DataFrame, rules: Rules, detections: DetectionCounts, *, matched: int, num_tracks: int
) -> list[str]:
    """Return a sentence with the reason and the remedy for each count of a sequence that is zero.

    Args:
        annotations: tables.ANNOTATIONS of the tracked frames.
        matched: number of detections on a person, see `count_matched`.
        num_tracks: number of boxes of the reported arm's tracks.
    """
    num_people = int(_scored(annotations, rules).sum())
    found = [] if num_people else [_no_people(name, annotations, rules)]
    if not detections.kept:
        return [*found, _no_detections(name, detections)]
    if not num_tracks:
        found.append(
            f"{name}: 0 tracks from {detections.kept:,} detections: no track was confirmed; lower the number of hits "
            f"that a track needs or the least score of a new track in evaluate_tracking.constants"
        )
    if num_people and not matched:
        found.append(
            f"{name}: 0 of {detections.kept:,} detections overlap one of {num_people:,} annotated boxes with an IoU of "
            f"{MATCH_IOU:g}, so that IDF1 is 0: the detections or the annotations are of another sequence, are "
            f"shifted, or count frames differently; compare them in data/tracking/frames and set detect.source"
        )
    return found


def count_matched(people: np.ndarray) -> int:
    """Return the number of detections on a person, from the person of each detection [n]."""
    return int((people != NO_PERSON).sum())


def zero_scores(name: str, idf1: float, *, num_tracks: int, findings: list[str]) -> list[str]:
    """Return a sentence for an IDF1 of 0 that `findings` do not explain, else an empty list."""
    if idf1 > 0 or findings:
        return []
    return [
        f"{name}: IDF1 is 0: none of {num_tracks:,} boxes of tracks overlaps an annotated box with an IoU of "
        f"{MATCH_IOU:g}, though detections do; check evaluate_tracking.constants, linking and interpolation"
    ]


def _scored(annotations: pd.DataFrame, rules: Rules) -> np.ndarray:
    is_person = (annotations["class_id"] == PEDESTRIAN).to_numpy() | (not rules.has_classes)
    return is_person & annotations["considered"].to_numpy(dtype=bool)


def _no_people(name: str, annotations: pd.DataFrame, rules: Rules) -> str:
    if not len(annotations):
        reason = "no annotation is in the tracked frames; check gt.txt, or take the sequence out of download.sequences"
    elif not annotations["considered"].any():
        reason = (
            f"the flag (7th field) of all {len(annotations):,} boxes is 0; correct gt.txt, or name its columns in "
            f"download.formats"
        )
    else:
        counts = Counter(annotations["class_id"].tolist()).most_common(8)
        found = ", ".join(f"{number} ({count:,} boxes)" for number, count in counts)
        reason = f"the classes are {found}, and people are class {PEDESTRIAN}; name the classes in download.people"
    return f"{name}: 0 annotated people in the tracked frames, so that every score is 0: {reason}"


def _no_detections(name: str, detections: DetectionCounts) -> str:
    if not detections.num:
        return (
            f"{name}: 0 detections in the tracked frames, so that nothing is tracked; use a detect.source with "
            f"detections in these frames, or lower detect.detector.min_confidence"
        )
    return (
        f"{name}: 0 of {detections.num:,} detections reach evaluate_tracking.min_confidence "
        f"({detections.min_confidence:g}), so that nothing is tracked; the highest score is {detections.highest:g}; "
        f"lower it"
    )
