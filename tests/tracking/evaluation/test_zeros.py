import numpy as np
import pandas as pd
import pytest

from reidops.tracking.evaluation.scoring import rules_of
from reidops.tracking.evaluation.zeros import DetectionCounts, count_matched, find_zeros, zero_scores

SOME = DetectionCounts(20, 20, 0.9, None)


def annotations(num: int = 4, class_id: int = 1, *, considered: bool = True) -> pd.DataFrame:
    return pd.DataFrame({"class_id": [class_id] * num, "considered": [considered] * num})


def zeros(table: pd.DataFrame, counts: DetectionCounts = SOME, matched: int = 4, num_tracks: int = 9) -> list[str]:
    return find_zeros("cam-a", table, rules_of("mine"), counts, matched=matched, num_tracks=num_tracks)


def test_a_sequence_with_people_detections_and_tracks_has_no_finding():
    assert zeros(annotations()) == []


@pytest.mark.parametrize(
    ("table", "facts"),
    [
        (annotations(0), ("no annotation is in the tracked frames", "download.sequences")),
        (annotations(considered=False), ("flag (7th field) of all 4 boxes is 0", "download.formats")),
        (annotations(class_id=3), ("3 (4 boxes)", "download.people")),
    ],
)
def test_no_people_is_explained_by_the_frames_the_flags_or_the_classes(table, facts):
    found, *_ = zeros(table, matched=0)
    assert found.startswith("cam-a: 0 annotated people") and all(fact in found for fact in facts)


@pytest.mark.parametrize(
    ("scores", "floor", "facts"),
    [
        ([], None, ("0 detections in the tracked frames", "detect.source")),
        ([0.2, 0.4], 0.5, ("0 of 2 detections", "evaluate_tracking.min_confidence (0.5)", "highest score is 0.4")),
        ([-0.5], 0.5, ("highest score is -0.5",)),
    ],
)
def test_no_detection_is_explained_by_the_file_or_by_the_least_score(scores, floor, facts):
    (found,) = zeros(annotations(), DetectionCounts.of(np.array(scores), floor), 0, 0)
    assert all(fact in found for fact in facts)


def test_no_track_and_no_overlap_are_told_apart():
    (confirmed,) = zeros(annotations(), num_tracks=0)
    assert "0 tracks from 20 detections" in confirmed and "evaluate_tracking.constants" in confirmed
    (shifted,) = zeros(annotations(), matched=0)
    assert "0 of 20 detections overlap one of 4 annotated boxes" in shifted and "detect.source" in shifted


def test_an_idf1_of_0_is_stated_once():
    assert zero_scores("cam-a", 0.1, num_tracks=9, findings=[]) == []
    assert "IDF1 is 0" in zero_scores("cam-a", 0.0, num_tracks=9, findings=[])[0]
    assert zero_scores("cam-a", 0.0, num_tracks=9, findings=["other"]) == []


def test_detections_on_nobody_do_not_count_as_matched():
    assert count_matched(np.array([-1, 3, -1, 7])) == 2


def test_classes_do_not_count_in_mot15():
    table = annotations(class_id=3)
    assert find_zeros("cam-a", table, rules_of("MOT15"), SOME, matched=4, num_tracks=9) == []
