import numpy as np
import pytest
import supervision as sv
from drawn_crowd import draw_crowd

from reidops.errors import ReidopsError
from reidops.tracking.bytetrack import FIRST, LOW_SCORE_OVERLAP, PROBATION, SCORED_OVERLAP, SECOND, ByteTrack
from reidops.tracking.constants import ByteTrackConstants
from reidops.tracking.decisions import OVERLAP

HIGH_SCORE, MIDDLE_SCORE, LOW_SCORE = 0.9, 0.65, 0.3  # a middling one is sure, and too low to begin a track


def detections(*lefts: float, scores: float | list[float] = HIGH_SCORE, height: float = 100) -> sv.Detections:
    """Return boxes of 40 px × `height` at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 50), left + 40, np.full_like(left, 50 + height)]).reshape(
        -1, 4
    )
    return sv.Detections(xyxy=box_ltrb, confidence=np.broadcast_to(np.array(scores, dtype=float), left.shape))


def ids(tracker: ByteTrack, *lefts: float, scores: float | list[float] = HIGH_SCORE) -> list[int]:
    return tracker.update(detections(*lefts, scores=scores)).tracker_id.tolist()


def hide(tracker: ByteTrack, num_frames: int) -> None:
    for _ in range(num_frames):
        tracker.update(sv.Detections.empty())


def standing(constants: ByteTrackConstants = ByteTrackConstants(), num_frames: int = 5) -> ByteTrack:
    """Return a tracker that has seen one person stand at 0."""
    tracker = ByteTrack(constants)
    for _ in range(num_frames):
        ids(tracker, 0)
    return tracker


def test_a_track_of_the_first_frame_is_shown_at_once_a_later_one_from_its_second_detection_on():
    tracker = ByteTrack()
    assert [ids(tracker, 0), ids(tracker, 0, 300), ids(tracker, 0, 300)] == [[1], [1], [1, 2]]


def test_a_track_on_probation_that_is_missed_once_is_forgotten():
    tracker = standing()
    ids(tracker, 0, 300)
    ids(tracker, 0)
    assert [ids(tracker, 0, 300), ids(tracker, 0, 300)] == [[1], [1, 2]]


@pytest.mark.parametrize("score", [LOW_SCORE, MIDDLE_SCORE])
def test_detections_below_the_score_of_a_new_track_extend_tracks_and_never_begin_one(score):
    tracker = ByteTrack()
    assert [ids(tracker, 0, scores=score) for _ in range(5)] == [[]] * 5
    assert ids(standing(), 0, scores=score) == [1]


def test_an_unsure_detection_does_not_end_probation():
    tracker = standing()
    ids(tracker, 0, 300)
    assert ids(tracker, 0, 300, scores=[HIGH_SCORE, LOW_SCORE]) == [1]


def test_an_unsure_detection_does_not_bring_back_a_lost_track():
    tracker = standing()
    hide(tracker, 1)
    assert [ids(tracker, 0, scores=LOW_SCORE), ids(tracker, 0, scores=HIGH_SCORE)] == [[], [1]]


def test_with_all_tracks_unsure_detections_end_probation_and_bring_back_lost_tracks():
    tracker = standing(ByteTrackConstants(all_tracks=True))
    ids(tracker, 0, 300)
    assert ids(tracker, 0, 300, scores=[HIGH_SCORE, LOW_SCORE]) == [1, 2]
    hide(tracker, 1)
    assert ids(tracker, 0, 300, scores=LOW_SCORE) == [1, 2]


def test_detections_below_the_low_score_are_not_looked_at():
    tracker = standing()
    assert ids(tracker, 0, scores=0.05) == []
    assert tracker.decisions.rows.tolist() == []


def test_sure_detections_go_first_even_where_unsure_ones_overlap_more():
    assert standing().update(detections(15, 0, scores=[HIGH_SCORE, LOW_SCORE])).data["detection"].tolist() == [0]


def test_a_tracks_unsure_detection_must_overlap_by_half_a_sure_one_less():
    """A shift of 15 px of 40 overlaps by 0.45."""
    assert ids(standing(), 15, scores=LOW_SCORE) == []
    assert ids(standing(), 15, scores=HIGH_SCORE) == [1]


def test_the_score_has_its_part_in_the_cost_unless_it_is_of_another_scale():
    """A shift of 25 px of 40 overlaps by 0.23, at a score of 0.65 too little."""
    for fuse_score, expected in ((True, []), (False, [1])):
        tracker = standing(ByteTrackConstants(fuse_score=fuse_score))
        assert ids(tracker, 25, scores=MIDDLE_SCORE) == expected


def test_scores_beyond_one_count_as_one():
    tracker = standing()
    tracker.update(detections(0, scores=7.0))
    assert tracker.decisions.terms[SCORED_OVERLAP][0, 0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("num_hidden", "expected"), [(4, [1]), (5, [])])
def test_a_lost_track_comes_back_within_the_buffer_and_not_after(num_hidden, expected):
    tracker = standing(ByteTrackConstants(max_age=4))
    hide(tracker, num_hidden)
    assert ids(tracker, 0) == expected


def test_a_lost_track_keeps_its_size():
    tracker = ByteTrack()
    for height in range(100, 160, 10):
        tracker.update(detections(0, height=height))
    hide(tracker, 10)
    assert tracker._tracks.box_ltwh[0, 3] == pytest.approx(165, abs=10)


@pytest.mark.parametrize(("num_frames", "duplicate", "expected"), [(40, 0.85, [1]), (40, 1.0, [2]), (5, 0.85, [2])])
def test_of_a_lost_track_and_one_that_walks_onto_it_the_younger_goes(num_frames, duplicate, expected):
    """The person at 0 is lost while a newcomer walks there; whose track was there for longer has the place in the
    end.
    """
    tracker = standing(ByteTrackConstants(duplicate=duplicate, match=0.3), num_frames)
    for left in np.arange(61.5, -2, -3):
        shown = ids(tracker, left, scores=0.95)
    assert shown == expected
    assert len(tracker._tracks) == (2 if duplicate == 1 else 1)


def test_two_who_pass_each_other_keep_their_tracks():
    tracker = ByteTrack()
    for step in range(40):
        shown = tracker.update(detections(6 * step, 240 - 6 * step))
    assert dict(zip(shown.data["detection"].tolist(), shown.tracker_id.tolist(), strict=True)) == {0: 1, 1: 2}


def test_no_two_detections_of_a_frame_share_a_track():
    tracker = ByteTrack()
    for boxes, _ in draw_crowd(np.random.default_rng(5)):
        shown = tracker.update(boxes).tracker_id.tolist()
        assert len(set(shown)) == len(shown)


def test_what_was_weighed_names_each_pair_and_its_stage():
    tracker = ByteTrack()
    tracker.update(detections(0, 100))
    tracker.update(detections(0, 100, 300))
    tracker.update(detections(0, 100, 300, 500, scores=[HIGH_SCORE, LOW_SCORE, HIGH_SCORE, 0.05]))
    decisions = tracker.decisions
    assert decisions.track_ids.tolist() == [1, 2, -1]
    assert decisions.rows.tolist() == [0, 1, 2]
    assert sorted(decisions.pairs) == [(0, 0, FIRST), (1, 1, SECOND), (2, 2, PROBATION)]
    assert decisions.limits == {OVERLAP: 0.8, SCORED_OVERLAP: 0.8, LOW_SCORE_OVERLAP: 0.5}
    assert np.diag(decisions.terms[OVERLAP]) == pytest.approx([0, 0, 0], abs=1e-9)
    assert np.diag(decisions.terms[SCORED_OVERLAP]) == pytest.approx([0.1, np.nan, 0.1], nan_ok=True)
    assert np.diag(decisions.terms[LOW_SCORE_OVERLAP]) == pytest.approx([np.nan, 0, np.nan], abs=1e-9, nan_ok=True)


def test_a_frame_or_a_video_without_detections_has_no_tracks():
    tracker = ByteTrack()
    for _ in range(3):
        assert len(tracker.update(sv.Detections.empty())) == 0
    assert tracker.decisions.pairs == ()


def test_detections_without_scores_are_is_high_score():
    boxes = sv.Detections(xyxy=detections(0, 100).xyxy)
    assert ByteTrack().update(boxes).tracker_id.tolist() == [1, 2]


def test_embeddings_gate_and_camera_play_no_part():
    rng, plain, given = np.random.default_rng(4), ByteTrack(), ByteTrack(gate=0.0, camera=object())
    for boxes, _ in draw_crowd(rng):
        with_looks = given.update(boxes, rng.normal(size=(len(boxes), 8)), np.zeros((10, 10, 3), np.uint8))
        assert with_looks.tracker_id.tolist() == plain.update(boxes).tracker_id.tolist()


@pytest.mark.parametrize("box", [[0, 0, np.nan, 10], [5, 5, 5, 50]])
def test_a_box_that_is_none_is_named(box):
    boxes = detections(0, 100)
    boxes.xyxy[1] = box
    with pytest.raises(ReidopsError, match="detection 1: box .*drop such boxes"):
        ByteTrack().update(boxes)
