import numpy as np
import pytest
import supervision as sv

from reidops.tracking import corner_sightings
from reidops.tracking.camera_motion import NoMotion
from reidops.tracking.confidence_state import ConfidenceState
from reidops.tracking.constants import HybridSortConstants
from reidops.tracking.corner_sightings import CornerSightings
from reidops.tracking.hybridsort import CONFIDENCE, HEIGHT_OVERLAP, LOW_CONFIDENCE, HybridSort, height_overlap, hmiou
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.ocsort import FIRST, LOW_SCORE

AT_ONCE = HybridSortConstants(min_hits=0)
RED, GREEN, BLUE = np.eye(3, dtype=np.float32)


def detections(*lefts: float, scores: float | list[float] = 0.9, bottoms: list[float] | None = None) -> sv.Detections:
    """Return boxes of 40 × 100 px at the given left edges; `bottoms` replaces the bottom edge, 200."""
    left = np.array(lefts, dtype=float)
    bottom = np.full_like(left, 200) if bottoms is None else np.array(bottoms, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 100), left + 40, bottom])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.broadcast_to(np.array(scores), left.shape))


def ids(tracker: HybridSort, boxes: sv.Detections, looks: list[np.ndarray] | None = None) -> list[int]:
    return tracker.update(boxes, None if looks is None else np.array(looks, np.float32)).tracker_id.tolist()


def seen_walking(boxes: list[list[float]], delta: int = 3) -> CornerSightings:
    """Return what is remembered of one track that was at these boxes, left, top, width, height."""
    motion = XysrMotion()
    sightings = CornerSightings(motion.start(np.zeros((0, 4))), delta)
    sightings.append(motion.start(np.array(boxes[:1])), np.array(boxes[:1], dtype=float))
    for box in boxes[1:]:
        sightings.update(np.array([0]), sightings.state, np.array([box], dtype=float))
    return sightings


def corners(box: np.ndarray) -> list[np.ndarray]:
    return [box[:2] + box[2:] * np.array(share) for share in ((0, 0), (1, 0), (0, 1), (1, 1))]


def test_hmiou_is_iou_times_the_overlap_of_the_heights():
    """Boxes 0 … 100 and 50 … 200 high share 50 of 200; their IoU is 2,000 / 8,000."""
    a, b = np.array([[0.0, 0, 40, 100]]), np.array([[0.0, 50, 40, 200]])
    assert height_overlap(a, b) == pytest.approx(0.25)
    assert hmiou(a, b) == pytest.approx(0.25 * 2000 / 8000)
    assert hmiou(a, a) == pytest.approx(1)
    assert hmiou(a, np.array([[0.0, 150, 40, 200]])) == 0


def test_the_height_decides_between_boxes_of_equal_iou():
    """One detection covers four fifths of the track's width, the other four fifths of its height."""
    tracker = HybridSort(AT_ONCE)
    ids(tracker, detections(0))
    narrow, low = [0.0, 100, 32, 200], [0.0, 100, 40, 180]
    both = sv.Detections(xyxy=np.array([low, narrow]), confidence=np.array([0.9, 0.9]))
    assert ids(tracker, both)[1] == 1
    costs = tracker.decisions.terms[HEIGHT_OVERLAP][0, np.argsort(tracker.decisions.rows)]
    assert costs == pytest.approx([1 - 0.8 * 0.8, 1 - 0.8])


def test_the_first_association_compares_with_the_filtered_confidence():
    """Of two equal boxes the track takes the one whose confidence is nearer to its own."""
    tracker = HybridSort(AT_ONCE)
    for _ in range(5):
        ids(tracker, detections(0, scores=0.7))
    assert ids(tracker, detections(0, 0, scores=[0.95, 0.72]))[1] == 1
    assert {stage for *_, stage in tracker.decisions.pairs} == {FIRST}
    differences = sorted(tracker.decisions.terms[CONFIDENCE][0].tolist())
    assert differences == pytest.approx([0.02, 0.25], abs=1e-6)


def test_without_weight_the_confidence_decides_nothing():
    tracker = HybridSort(HybridSortConstants(min_hits=0, confidence_weight=0))
    for _ in range(5):
        ids(tracker, detections(0, scores=0.7))
    ids(tracker, detections(0, 2, scores=[0.95, 0.7]))
    assert tracker.decisions.rows[tracker.decisions.pairs[0][1]] == 0


def test_confidences_beyond_one_change_no_association():
    tracker = HybridSort(AT_ONCE)
    for _ in range(5):
        ids(tracker, detections(0, scores=1))
    assert ids(tracker, detections(0, 3, scores=[90, 1]))[0] == 1
    assert tracker.decisions.terms[CONFIDENCE].tolist() == [[0, 0]]


def test_the_second_association_extrapolates_the_confidence():
    """From 0.9 to 0.75: the next is expected at 0.6, at most `high`; 0.5 is nearer to it than 0.2."""
    tracker = HybridSort(AT_ONCE)
    ids(tracker, detections(0, scores=0.9))
    ids(tracker, detections(0, scores=0.75))
    assert ids(tracker, detections(0, 0, scores=[0.2, 0.5])) == [1]
    row, column, stage = tracker.decisions.pairs[0]
    assert stage == LOW_SCORE and tracker.decisions.rows[column] == 1
    assert tracker.decisions.terms[LOW_CONFIDENCE][row, column] == pytest.approx(0.1)


def test_the_filter_of_the_confidence_equals_that_of_a_textbook():
    rng = np.random.default_rng(0)
    state, first = ConfidenceState(), rng.random(3)
    state.append(first)
    means, covariances = [np.array([c, 0]) for c in first], [np.diag([10.0, 1e4])] * 3
    step, process = np.array([[1, 1], [0, 1]]), np.diag([1, 1e-4])
    for measured in rng.random((6, 3)):
        state.predict()
        state.update(np.arange(3), measured)
        for track in range(3):
            mean, covariance = step @ means[track], step @ covariances[track] @ step.T + process
            gain = covariance[:, 0] / (covariance[0, 0] + 10)
            means[track] = mean + gain * (measured[track] - mean[0])
            covariances[track] = covariance - np.outer(gain, covariance[0])
    assert state.filtered() == pytest.approx([mean[0] for mean in means])


def test_the_linear_prediction_adds_the_last_change():
    state = ConfidenceState()
    state.append(np.array([0.5, 0.8]))
    assert state.extrapolated() == pytest.approx([0.5, 0.8])
    state.update([1], np.array([0.7]))
    assert state.extrapolated() == pytest.approx([0.5, 0.6])


def test_the_confidences_of_lost_tracks_leave_with_them():
    tracker = HybridSort(HybridSortConstants(min_hits=0, max_age=1))
    ids(tracker, detections(0, 500, scores=[0.9, 0.7]))
    for _ in range(3):
        ids(tracker, detections(500, scores=0.7))
    assert len(tracker._confidences) == len(tracker._tracks) == len(tracker._sightings) == 1
    assert tracker._confidences.extrapolated() == pytest.approx([0.7])


def test_agreement_is_a_half_ahead_and_minus_a_half_behind():
    sightings = seen_walking([[left, 100, 40, 100] for left in (0, 5, 10, 15)])
    ahead, behind = (sightings.agreement(np.array([[left, 100.0, 40, 100]]))[0, 0] for left in (60, -60))
    assert (ahead, behind) == pytest.approx((0.5, -0.5), abs=1e-3)


def test_agreement_equals_a_plain_loop_over_corners_and_intervals():
    rng = np.random.default_rng(0)
    boxes, new = rng.uniform(20, 400, (6, 4)), rng.uniform(20, 400, (3, 4))
    expected = np.zeros(3)
    for detection in range(3):
        angles = []
        for interval in (1, 2, 3):
            start, end, before = corners(boxes[-1 - interval]), corners(boxes[-1]), corners(boxes[-interval])
            for a, b, c, d in zip(start, end, before, corners(new[detection]), strict=True):
                cosine = (b - a) @ (d - c) / np.linalg.norm(b - a) / np.linalg.norm(d - c)
                angles.append(np.arccos(cosine))
        expected[detection] = 0.5 - np.mean(angles) / np.pi
    assert seen_walking(boxes.tolist()).agreement(new)[0] == pytest.approx(expected, abs=1e-6)


def test_agreement_is_the_same_in_blocks_of_any_size(monkeypatch):
    rng = np.random.default_rng(0)
    motion, boxes = XysrMotion(), rng.uniform(20, 400, (4, 7, 4))
    sightings = CornerSightings(motion.start(np.zeros((0, 4))), 3)
    sightings.append(motion.start(boxes[0]), boxes[0])
    sightings.update(np.arange(7), sightings.state, boxes[1])
    sightings.update(np.arange(5), sightings.state[:5], boxes[2, :5])
    whole = sightings.agreement(boxes[3])
    monkeypatch.setattr(corner_sightings, "_MOST_ANGLES", 2 * 12 * 7)  # two tracks at a time
    assert (sightings.agreement(boxes[3]) == whole).all()


def test_a_box_that_grows_has_a_direction_though_its_centre_stays():
    sightings = seen_walking([[-g, -g, 40 + 2 * g, 100 + 2 * g] for g in (0.0, 2.0, 4.0, 6.0)])
    grown, shrunk = np.array([[-9.0, -9, 58, 118]]), np.array([[9.0, 9, 22, 82]])
    assert sightings.agreement(grown)[0, 0] == pytest.approx(0.5, abs=1e-3)
    assert sightings.agreement(shrunk)[0, 0] == pytest.approx(-0.5, abs=1e-3)


@pytest.mark.parametrize(("looks", "expected"), [([RED, GREEN], [1, 2]), ([GREEN, RED], [2, 1])])
def test_appearance_identifies_overlapping_people(looks, expected):
    tracker = HybridSort(AT_ONCE)
    for _ in range(6):
        ids(tracker, detections(0, 8), [RED, GREEN])
    assert ids(tracker, detections(3, 5), looks) == expected


def test_appearance_finds_no_track_without_overlap():
    tracker = HybridSort(AT_ONCE)
    ids(tracker, detections(0), [RED])
    assert ids(tracker, detections(300), [RED]) == [2]


@pytest.mark.parametrize(("gate", "expected"), [(None, [2, 1]), (0.01, [1, 2])])
def test_beyond_a_given_gate_appearance_adds_nothing(gate, expected):
    """The embeddings are nearer to each other's tracks, but all of them are far from both."""
    tracker = HybridSort(AT_ONCE, gate)
    for _ in range(6):
        ids(tracker, detections(0, 12), [RED, GREEN])
    swapped = [0.3 * GREEN + 0.95 * BLUE, 0.3 * RED + 0.95 * BLUE]
    assert ids(tracker, detections(1, 11), [v / np.linalg.norm(v) for v in swapped]) == expected


def test_low_score_detections_do_not_change_the_appearance():
    tracker = HybridSort(AT_ONCE)
    ids(tracker, detections(0), [RED])
    ids(tracker, detections(0, scores=0.4), [GREEN])
    assert tracker._memory.distances(RED[None]) == pytest.approx(0)


def test_a_camera_without_motion_changes_nothing():
    plain, moving = HybridSort(AT_ONCE), HybridSort(AT_ONCE, camera=NoMotion())
    for left in (0, 4, 9, 13):
        assert ids(plain, detections(left)) == ids(moving, detections(left))
    assert plain._tracks.box_ltwh == pytest.approx(moving._tracks.box_ltwh)
