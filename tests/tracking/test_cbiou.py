import numpy as np
import pytest
import supervision as sv

from reidops.tracking.cbiou import LARGE_BUFFER, SMALL_BUFFER, CBiou, buffered_iou
from reidops.tracking.constants import CBiouConstants
from reidops.tracking.motion_mean import MeanMotion, mean_displacements

AT_ONCE = CBiouConstants(min_hits=1)


def detections(*lefts: float, top: float = 100.0, height: float = 100.0) -> sv.Detections:
    """Return boxes 40 px wide at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, top), left + 40, np.full_like(left, top + height)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.full(len(left), 0.9))


def ids(tracker: CBiou, *lefts: float, **options) -> list[int]:
    return tracker.update(detections(*lefts, **options)).tracker_id.tolist()


def hide(tracker: CBiou, num_frames: int) -> None:
    for _ in range(num_frames):
        tracker.update(sv.Detections.empty())


def walked(*lefts: float, constants: CBiouConstants = AT_ONCE) -> CBiou:
    """Return a tracker of one person, seen at these left edges, NaN = hidden."""
    tracker = CBiou(constants)
    for left in lefts:
        tracker.update(detections(*([] if np.isnan(left) else [left])))
    return tracker


def stages(tracker: CBiou) -> list[str]:
    return [stage for _, _, stage in tracker.decisions.pairs]


def test_boxes_side_by_side_overlap_by_a_quarter_with_a_buffer_of_three_tenths():
    """Buffered, they are 1.6 widths wide and share 0.6 of them: 0.6 / 2.6 along x, all of the height."""
    a, b = np.array([[0.0, 0, 40, 100]]), np.array([[40.0, 0, 80, 100]])
    assert buffered_iou(a, b, 0.0) == 0
    assert buffered_iou(a, b, 0.3) == pytest.approx(0.6 / 2.6)
    assert buffered_iou(a, b, 0.5) == pytest.approx(1 / 3)


@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_a_buffer_is_in_proportion_to_the_size_of_a_box(scale):
    rng = np.random.default_rng(0)
    left_top = rng.uniform(0, 300, (2, 8, 2))
    a, b = np.concatenate([left_top, left_top + rng.uniform(20, 200, (2, 8, 2))], axis=-1)
    assert buffered_iou(scale * a, scale * b, 0.3) == pytest.approx(buffered_iou(a, b, 0.3))


@pytest.mark.parametrize(("step", "expected"), [(20, SMALL_BUFFER), (39, LARGE_BUFFER), (60, None)])
def test_a_small_step_matches_with_the_small_buffer_a_larger_one_with_the_large_buffer(step, expected):
    """The IoU of boxes `step` px apart, 1.6 · 40 and 2 · 40 px wide, is at least 0.3 up to 34 and 43 px."""
    tracker = walked(0)
    ids(tracker, step)
    assert stages(tracker) == ([expected] if expected else [])


def test_a_pair_of_the_first_stage_takes_part_in_no_second_one():
    """The nearer detection is matched first, so a second track may not have it with the large buffer."""
    tracker = CBiou(AT_ONCE)
    ids(tracker, 0, 50)
    assert ids(tracker, 10) == [1]
    assert stages(tracker) == [SMALL_BUFFER]


def test_a_track_moves_on_by_the_mean_of_its_last_displacements():
    """After steps of 10, 20, 30 px and two hidden frames, the third is expected at 60 + 3 · 20."""
    tracker = walked(0, 10, 30, 60)
    hide(tracker, 2)
    assert ids(tracker, 120) == [1]
    assert tracker.decisions.terms["overlap"][0, 0] == pytest.approx(0)


def test_displacements_before_the_window_are_forgotten():
    tracker = walked(0, 40, 40, 40, constants=CBiouConstants(min_hits=1, window=2))
    ids(tracker, 40)
    assert tracker.decisions.terms["overlap"][0, 0] == pytest.approx(0)


def test_a_displacement_across_a_gap_counts_per_frame():
    """From 0 to 30 px in three frames: 10 px per frame."""
    tracker = walked(0, np.nan, np.nan, 30)
    ids(tracker, 40)
    assert tracker.decisions.terms["overlap"][0, 0] == pytest.approx(0)


def test_a_track_of_one_observation_stays_where_it_is():
    tracker = walked(0)
    ids(tracker, 0)
    assert tracker.decisions.terms["overlap"][0, 0] == 0


@pytest.mark.parametrize(("num_hidden", "expected"), [(4, [1]), (5, [2])])
def test_a_lost_track_is_kept_for_max_age_frames(num_hidden, expected):
    tracker = walked(0, 0, 0, constants=CBiouConstants(min_hits=1, max_age=4))
    hide(tracker, num_hidden)
    assert ids(tracker, 0) == expected


def test_a_track_is_returned_from_its_third_match_on_and_a_tentative_one_ends_with_its_first_miss():
    tracker = CBiou()
    assert [ids(tracker, 0) for _ in range(4)] == [[], [], [1], [1]]
    assert [ids(tracker, 0, 500), ids(tracker, 0), ids(tracker, 0, 500)] == [[1], [1], [1]]


def test_the_box_of_a_detection_is_returned():
    tracker = walked(0, 10, 30)
    boxes = detections(55)
    assert tracker.update(boxes).xyxy == pytest.approx(boxes.xyxy)


def test_a_shrinking_track_keeps_an_area():
    tracker = CBiou(AT_ONCE)
    for height in (100, 60, 30):
        ids(tracker, 0, height=height)
    hide(tracker, 20)
    box_ltrb = tracker._tracks.box_ltrb
    assert (box_ltrb[:, 2:] > box_ltrb[:, :2]).all()


def test_unknown_displacements_are_left_out_of_the_mean():
    known = np.full((2, 3, 4), np.nan)
    known[0, 0], known[0, 1] = 2, 4
    assert mean_displacements(known).tolist() == [[3] * 4, [0] * 4]


def test_a_prediction_over_several_frames_adds_the_change_of_each():
    motion = MeanMotion()
    state = motion.state_of(np.array([[0.0, 0, 40, 100, 2, -1, 0, 3]]))
    for _ in range(4):
        state = motion.predict(state)
    assert motion.boxes(state).tolist() == [[8, -4, 40, 112]]
