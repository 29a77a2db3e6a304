import numpy as np
import pytest
import supervision as sv
from drawn_crowd import draw_crowd

from reidops.errors import ReidopsError
from reidops.tracking.constants import SortConstants, StrongSortConstants
from reidops.tracking.decisions import OVERLAP
from reidops.tracking.deepsort import DeepSort
from reidops.tracking.sort import OVERLAPPING, Sort
from reidops.tracking.strongsort import StrongSort

TRACKERS = [Sort, DeepSort, StrongSort]
by_tracker = pytest.mark.parametrize("start", TRACKERS)


def detections(*lefts: float, width: float = 40.0) -> sv.Detections:
    """Return boxes of 100 px height at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 100), left + width, np.full_like(left, 200)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.full(len(left), 0.9))


def ids(tracker, *lefts: float) -> list[int]:
    """Return the track of each detection shown."""
    result = tracker.update(detections(*lefts))
    return result.tracker_id[result.data["detection"] >= 0].tolist()


def test_a_track_is_returned_from_its_third_detection():
    tracker = Sort()
    assert [ids(tracker, x) for x in (0, 3, 6, 9)] == [[], [], [1], [1]]


def test_min_hits_of_one_shows_a_track_at_once():
    assert ids(Sort(SortConstants(min_hits=1)), 0) == [1]


def test_on_probation_a_track_that_is_missed_once_is_forgotten():
    tracker = Sort()
    assert [ids(tracker, *lefts) for lefts in ([0], [0], [], [0], [0], [0])] == [[], [], [], [], [], [1]]


@pytest.mark.parametrize(("num_hidden", "expected"), [(1, [1]), (2, [])])
def test_a_confirmed_track_is_removed_after_max_age_frames_without_detection(num_hidden, expected):
    tracker = Sort()
    for _ in range(5):
        ids(tracker, 0)
    for _ in range(num_hidden):
        ids(tracker)
    assert ids(tracker, 0) == expected


def test_a_detection_with_too_little_overlap_starts_a_track():
    for iou, expected in ((0.3, []), (0.2, [1])):
        tracker = Sort(SortConstants(iou=iou))
        for _ in range(4):
            ids(tracker, 0)
        assert ids(tracker, 24) == expected  # 16 of 64 px shared: IoU 0.25


def test_who_walks_on_is_found_where_the_speed_says_after_a_gap():
    tracker = Sort(SortConstants(max_age=8))
    for step in range(20):
        ids(tracker, 12 * step)
    for _ in range(6):
        ids(tracker)
    assert ids(tracker, 12 * 26) == [1]


def test_the_assignment_overlaps_most_in_all_and_then_drops_what_overlaps_too_little():
    """The first overlaps both tracks, the second one of them: greedy matching would leave the second alone."""
    tracker = Sort(SortConstants(iou=0.1))
    for _ in range(4):
        shown = ids(tracker, 0, 20)
    assert shown == [1, 2]
    assert ids(tracker, 12, 45) == [1, 2]


def test_the_decisions_hold_the_cost_terms():
    tracker = Sort(SortConstants(min_hits=2))
    assert tracker.decisions is None
    ids(tracker, 300, 0)
    assert tracker.decisions.terms[OVERLAP].shape == (0, 2)
    ids(tracker, 310, 0, 600)
    ids(tracker, 0, 330)
    decisions = tracker.decisions
    assert (decisions.track_ids.tolist(), decisions.rows.tolist()) == ([1, 2, -1], [0, 1])
    assert decisions.limits == {OVERLAP: 0.7}
    assert decisions.pairs == ((0, 0, OVERLAPPING), (1, 1, OVERLAPPING))
    assert decisions.terms[OVERLAP][0].tolist() == pytest.approx([0, 1])
    assert 0 < decisions.terms[OVERLAP][1, 1] < 0.7


def test_appearance_plays_no_part():
    rng = np.random.default_rng(0)
    looking, blind = Sort(), Sort(gate=0.1)
    for boxes, embeddings in draw_crowd(rng):
        assert looking.update(boxes, embeddings).tracker_id.tolist() == blind.update(boxes).tracker_id.tolist()


@by_tracker
@pytest.mark.parametrize("appearance", [True, False])
def test_every_pair_of_the_decisions_is_within_its_gates_and_every_track_has_its_detection(start, appearance):
    tracker = start()
    for boxes, embeddings in draw_crowd(np.random.default_rng(5)):
        result = tracker.update(boxes, embeddings if appearance else None)
        decisions = tracker.decisions
        assert (
            len({row for row, *_ in decisions.pairs})
            == len({column for _, column, _ in decisions.pairs})
            == len(decisions.pairs)
        )
        for row, column, stage in decisions.pairs:
            names = {"overlap": ["overlap"], "first": set(decisions.limits) - {"overlap"}}[stage]
            assert all(decisions.terms[name][row, column] <= decisions.limits[name] for name in names)
        assert len(set(result.tracker_id.tolist())) == len(result)
        seen = result[result.data["detection"] >= 0]
        track_of = dict(zip(seen.data["detection"].tolist(), seen.tracker_id.tolist(), strict=True))
        for row, column, _ in decisions.pairs:
            assert decisions.track_ids[row] in (-1, track_of.get(int(decisions.rows[column])))
        assert np.array_equal(seen.confidence, boxes.confidence[seen.data["detection"]])
        assert set(decisions.rows.tolist()) <= set(range(len(boxes)))


@by_tracker
def test_frames_without_detections_give_none_and_tracks_outlive_one(start):
    tracker = start()
    assert len(tracker.update(sv.Detections.empty())) == 0
    for _ in range(5):
        ids(tracker, 0)
    unseen = tracker.update(sv.Detections.empty(), np.zeros((0, 4), np.float32))
    assert unseen.data["detection"].tolist() == ([] if start is Sort else [-1])
    assert ids(tracker, 0) == [1]


@by_tracker
def test_a_frame_of_ten_thousand_detections_is_survived(start):
    rng, tracker = np.random.default_rng(0), start()
    for _ in range(4):
        ids(tracker, 0, 100)
    left_top = rng.uniform(-4000, [4000, 3000], (10_000, 2))
    box_ltrb = np.concatenate([np.column_stack([left_top, left_top + [40, 100]]), detections(0, 100).xyxy])
    flood = sv.Detections(xyxy=box_ltrb, confidence=np.full(len(box_ltrb), 0.9))
    assert tracker.update(flood).tracker_id.tolist() == [1, 2]
    assert ids(tracker, 0, 100)[:2] == [1, 2]


@by_tracker
@pytest.mark.parametrize("box", [[0, 0, np.nan, 10], [5, 5, 5, 50], [0, 0, np.inf, 10]])
def test_a_box_that_is_none_is_named(start, box):
    boxes = detections(0, 100)
    boxes.xyxy[1] = box
    with pytest.raises(ReidopsError, match="detection 1: box"):
        start().update(boxes)


def test_strongsort_and_deepsort_take_a_gate_of_their_own_and_sort_takes_it_without_use():
    assert (DeepSort()._gate, StrongSort()._gate) == (0.2, StrongSortConstants.gate)
    assert (DeepSort(gate=0.0)._gate, StrongSort(gate=0.1)._gate) == (0.0, 0.1)
    assert ids(Sort(gate=0.1, camera=None), 0) == []
