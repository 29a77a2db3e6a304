import numpy as np
import pytest
import supervision as sv
from drawn_crowd import draw_crowd

from reidops.errors import ReidopsError
from reidops.tracking.constants import DeepSortConstants
from reidops.tracking.deepsort import DeepSort

RED, GREEN, BLUE = np.eye(3, dtype=np.float32)
NO_EMBEDDING = np.zeros(3, dtype=np.float32)


def detections(*lefts: float, top: float = 100.0) -> sv.Detections:
    """Return boxes of 40 × 100 px at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, top), left + 40, np.full_like(left, top + 100)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.ones(len(left)))


def ids(tracker: DeepSort, lefts: list[float], colours: list[np.ndarray] | None = None) -> list[int]:
    """Return the track of each detection shown, by left edge order of the result."""
    embeddings = None if colours is None else np.array(colours, dtype=np.float32).reshape(len(lefts), 3)
    result = tracker.update(detections(*lefts), embeddings)
    return result.tracker_id[result.data["detection"] >= 0].tolist()


def walk(
    tracker: DeepSort, num_frames: int, left: float = 0.0, speed: float = 5.0, colour: np.ndarray | None = RED
) -> float:
    """Show one person for some frames and return where they would be next."""
    for _ in range(num_frames):
        ids(tracker, [left], None if colour is None else [colour])
        left += speed
    return left


def hide(tracker: DeepSort, num_frames: int) -> None:
    for _ in range(num_frames):
        tracker.update(sv.Detections.empty(), np.zeros((0, 3), np.float32))


def test_a_track_is_shown_from_its_third_detection_on():
    tracker = DeepSort()
    assert [ids(tracker, [x], [RED]) for x in (0, 3, 6, 9)] == [[], [], [1], [1]]


def test_n_init_of_one_shows_a_track_at_once():
    assert ids(DeepSort(constants=DeepSortConstants(n_init=1)), [0], [RED]) == [1]


def test_an_unconfirmed_track_that_is_missed_once_is_forgotten():
    tracker = DeepSort()
    walk(tracker, 2)
    hide(tracker, 1)
    assert [ids(tracker, [x], [RED]) for x in (12, 15, 18)] == [[], [], [1]]


@pytest.mark.parametrize(("num_hidden", "expected"), [(4, [1]), (5, []), (9, [])])
def test_a_confirmed_track_is_kept_unseen_for_max_age_frames(num_hidden, expected):
    tracker = DeepSort(constants=DeepSortConstants(max_age=4))
    walk(tracker, 20, speed=0)
    hide(tracker, num_hidden)
    assert ids(tracker, [0], [RED]) == expected


@pytest.mark.parametrize(("colours", "expected"), [([RED, GREEN], [1, 2]), ([GREEN, RED], [2, 1])])
def test_appearance_tells_who_is_who_after_a_meeting_behind_a_post(colours, expected):
    """Two walk towards each other and vanish for 10 frames: they may have passed or turned back."""
    tracker = DeepSort()
    for step in range(20):
        ids(tracker, [4 * step, 200 - 4 * step], [RED, GREEN])
    hide(tracker, 10)
    assert ids(tracker, [90, 130], colours) == expected


def test_a_stranger_in_another_colour_does_not_take_over_a_lost_track():
    tracker = DeepSort()
    left = walk(tracker, 20)
    hide(tracker, 5)
    left += 25
    assert [ids(tracker, [left + 5 * i], [BLUE]) for i in range(3)] == [[], [], [2]]


def test_the_control_arm_bridges_a_gap_by_motion():
    tracker = DeepSort()
    left = walk(tracker, 20, colour=None)
    for _ in range(5):
        tracker.update(sv.Detections.empty())
    assert ids(tracker, [left + 25]) == [1]


def test_a_detection_without_embedding_is_matched_by_overlap():
    tracker = DeepSort()
    left = walk(tracker, 20)
    assert ids(tracker, [left], [NO_EMBEDDING]) == [1]


def test_the_motion_gate_blocks_a_look_alike_far_away_and_none_lifts_it():
    for gate, expected in ((9.4877, []), (None, [1])):
        tracker = DeepSort(constants=DeepSortConstants(motion_gate=gate))
        walk(tracker, 20, speed=0)
        assert ids(tracker, [600], [RED]) == expected


def test_reassociation_finds_a_person_again_where_motion_does_not_expect_them():
    for share, expected in ((0.0, []), (0.8, [1])):
        tracker = DeepSort(constants=DeepSortConstants(reassociate=share))
        walk(tracker, 20, speed=0)
        hide(tracker, 3)
        assert ids(tracker, [600], [RED]) == expected


def test_no_two_detections_of_a_frame_share_a_track():
    tracker = DeepSort()
    for boxes, embeddings in draw_crowd(np.random.default_rng(5)):
        shown = tracker.update(boxes, embeddings).tracker_id.tolist()
        assert len(set(shown)) == len(shown)


def test_what_comes_in_is_left_as_it_was():
    boxes, embeddings = detections(0, 100), np.stack([RED, GREEN])
    DeepSort().update(boxes, embeddings)
    assert boxes.tracker_id is None
    assert embeddings.tolist() == [RED.tolist(), GREEN.tolist()]


def test_frames_without_detections_give_none():
    tracker = DeepSort()
    for _ in range(3):
        assert len(tracker.update(sv.Detections.empty())) == 0


@pytest.mark.parametrize("box", [[0, 0, np.nan, 10], [5, 5, 5, 50], [0, 0, -3, 10], [0, 0, np.inf, 10]])
def test_a_box_that_is_none_is_named(box):
    boxes = detections(0, 100)
    boxes.xyxy[1] = box
    with pytest.raises(ReidopsError, match="detection 1: box"):
        DeepSort().update(boxes)


def test_embeddings_must_be_one_finite_row_per_detection():
    with pytest.raises(ReidopsError, match="one row for each of 2"):
        DeepSort().update(detections(0, 100), np.ones((3, 4), np.float32))
    with pytest.raises(ReidopsError, match="embedding 1 holds NaN"):
        DeepSort().update(detections(0, 100), np.array([[1.0, 0], [np.nan, 0]]))


def test_a_box_outside_the_frame_is_tracked_like_any_other():
    tracker = DeepSort()
    assert [ids(tracker, [-500 + 2 * i], [RED]) for i in range(3)] == [[], [], [1]]
