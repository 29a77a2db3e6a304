from dataclasses import replace

import numpy as np
import pytest
import supervision as sv
from scipy.stats import chi2

from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.tracking.boosttrack import (
    MAHALANOBIS,
    SHAPE,
    BoostTrack,
    boost_unlikely,
    soft_boost,
    varying_thresholds,
)
from reidops.tracking.box_similarity import MAHALANOBIS_LIMIT, mahalanobis_similarity, shape_similarity, soft_biou
from reidops.tracking.camera_motion import NoMotion
from reidops.tracking.constants import BoostTrackConstants
from reidops.tracking.decisions import OVERLAP
from reidops.tracking.motion_xyhr import XyhrMotion
from reidops.tracking.tracks import observe

AT_ONCE = BoostTrackConstants(min_hits=0)
PLAIN = replace(AT_ONCE, soft_boost=False, varying_threshold=False, unlikely_boost=False)
RED, GREEN, BLUE = np.eye(3, dtype=np.float32)


def detections(*lefts: float, scores: float | list[float] = 0.9, height: float = 100.0) -> sv.Detections:
    """Return boxes 40 px wide at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, 100), left + 40, np.full_like(left, 100 + height)])
    return sv.Detections(xyxy=box_ltrb.reshape(-1, 4), confidence=np.broadcast_to(np.array(scores), left.shape))


def ids(tracker: BoostTrack, boxes: sv.Detections, looks: list[np.ndarray] | None = None) -> list[int]:
    return tracker.update(boxes, None if looks is None else np.array(looks, np.float32)).tracker_id.tolist()


def standing(constants: BoostTrackConstants, *lefts: float, num_frames: int = 10, looks=None, **options) -> BoostTrack:
    """Return a tracker that has seen people stand for a while."""
    tracker = BoostTrack(constants, **options)
    for _ in range(num_frames):
        ids(tracker, detections(*lefts), looks)
    return tracker


def ltrb(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(boxes, dtype=float)


def test_the_limit_is_the_99_percent_quantile_of_chi_squared():
    assert pytest.approx(chi2.ppf(0.99, 4), abs=1e-3) == MAHALANOBIS_LIMIT


def test_mahalanobis_similarity_is_a_softmax_over_the_detections_of_a_track():
    found = mahalanobis_similarity(np.array([[0.0, np.log(3), 100.0], [50.0, 60.0, 70.0]]))
    far = np.exp(-MAHALANOBIS_LIMIT)
    assert found[0] == pytest.approx([1 / (4 / 3 + far), 1 / 3 / (4 / 3 + far), 0])
    assert found[1].tolist() == [0, 0, 0]
    assert mahalanobis_similarity(np.zeros((0, 3))).shape == (0, 3)


def test_shape_similarity_adds_the_relative_differences_of_both_sides():
    boxes = ltrb((0, 0, 40, 100), (500, 500, 530, 550))
    assert shape_similarity(boxes[:1], boxes)[0] == pytest.approx([1, np.exp(-(10 / 40 + 50 / 100))])


def test_soft_biou_is_the_iou_for_a_sure_track_and_grows_with_its_uncertainty():
    """At confidence 0 a box 40 px wide is 80 px wide as a track and 60 px wide as a detection."""
    track, box = ltrb((0, 0, 40, 40)), ltrb((40, 0, 80, 40))
    assert soft_biou(track, track + 10, np.ones(1)) == pytest.approx(iou_matrix(track, track + 10))
    shared = 30 * 60  # x from 30 to 60, y from −10 to 50
    assert soft_biou(track, box, np.zeros(1))[0, 0] == pytest.approx(shared / (80**2 + 60**2 - shared))
    assert soft_biou(track, box, np.ones(1))[0, 0] == 0


def test_the_confidence_of_a_track_grows_with_its_life_and_falls_with_its_age():
    tracker = BoostTrack(PLAIN)
    found = []
    for frame in range(12):
        ids(tracker, detections(0) if frame < 9 else sv.Detections.empty())
        tracker._predict(None)  # the state at the association of the next frame
        found.append(float(tracker._track_confidence()[0]))
        tracker._tracks.age -= 1
        tracker._tracks["life"][:] -= 1
    young = [0.9 ** (7 - life) for life in range(1, 7)]
    assert found == pytest.approx([*young, 1, 1, 1, 0.9, 0.81, 0.729])


def test_soft_boost_raises_and_never_lowers():
    found = soft_boost(np.array([0.5, 0.5, 0.9]), np.array([1.0, 0.25, 0.5]), 0.65, 1.5)
    assert found == pytest.approx([0.65 * 0.5 + 0.35, 0.5, 0.9])


def test_the_threshold_of_a_likely_detection_falls_from_95_to_80_percent_in_twenty_frames():
    assert varying_thresholds(np.array([1, 11, 21, 50])) == pytest.approx([0.95, 0.875, 0.8, 0.8])


def test_an_unlikely_detection_is_raised_unless_a_better_one_covers_it():
    boxes = ltrb((0, 0, 40, 100), (5, 0, 45, 100), (300, 0, 340, 100), (600, 0, 640, 100))
    confidence, unlikely = np.array([0.3, 0.4, 0.2, 0.1]), np.array([True, True, True, False])
    assert boost_unlikely(confidence, boxes, unlikely, 0.6).tolist() == [0.3, 0.6, 0.6, 0.1]


@pytest.mark.parametrize(
    ("constants", "expected"), [(PLAIN, []), (replace(PLAIN, soft_boost=True), [1]), (AT_ONCE, [1])]
)
def test_a_low_score_detection_on_a_track_is_used_if_boosted(constants, expected):
    """Soft boost of a perfect fit: 0.65 · 0.4 + 0.35 · 1 = 0.61, above 0.6."""
    assert ids(standing(constants, 0), detections(0, scores=0.4)) == expected


@pytest.mark.parametrize(("varying", "expected"), [(False, []), (True, [1])])
def test_a_detection_very_similar_to_a_track_is_used_whatever_its_score(varying, expected):
    constants = replace(PLAIN, varying_threshold=varying)
    assert ids(standing(constants, 0), detections(0, scores=0.05)) == expected


@pytest.mark.parametrize(("unlikely", "expected"), [(False, []), (True, [2])])
def test_a_low_score_detection_far_from_all_tracks_starts_one_if_boosted(unlikely, expected):
    constants = replace(PLAIN, unlikely_boost=unlikely)
    assert ids(standing(constants, 0), detections(900, scores=0.2)) == expected


def test_a_returned_detection_keeps_the_confidence_of_the_detector():
    shown = standing(AT_ONCE, 0).update(detections(0, scores=0.4))
    assert shown.confidence.tolist() == [0.4]


def test_the_similarity_is_the_sum_of_the_papers_terms():
    tracker = standing(PLAIN, 0)
    ids(tracker, detections(4, height=90, scores=0.8))
    terms = {name: term[0, 0] for name, term in tracker.decisions.terms.items()}
    overlap = 1 - terms[OVERLAP]
    confidence = 0.8 * 1.0  # of the detection and of the track
    alone = 1 / (1 if terms[MAHALANOBIS] <= MAHALANOBIS_LIMIT else np.inf)
    expected = overlap + 0.5 * confidence * overlap + 0.25 * alone + 0.25 * confidence * (1 - terms[SHAPE])
    again = standing(PLAIN, 0)
    again._predict(None)
    found = again._scores(observe(detections(4, height=90, scores=0.8), None), tracker.decisions.terms)
    assert found[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(("looks", "expected"), [([RED, GREEN], [1, 2]), ([GREEN, RED], [2, 1])])
def test_appearance_identifies_overlapping_people(looks, expected):
    tracker = standing(AT_ONCE, 0, 8, looks=[RED, GREEN])
    assert ids(tracker, detections(3, 5), looks) == expected


@pytest.mark.parametrize(("look", "gate", "expected"), [(RED, None, [1]), (GREEN, None, [2]), (GREEN, 1.0, [1])])
def test_within_the_gate_half_the_overlap_is_enough(look, gate, expected):
    """Boxes 25 px apart: an IoU of 15 / 65 = .23, between .15 and .3."""
    tracker = standing(AT_ONCE, 0, looks=[RED], gate=gate)
    assert ids(tracker, detections(25), [look]) == expected


@pytest.mark.parametrize(("num_hidden", "expected"), [(4, [1]), (5, [2])])
def test_a_lost_track_is_kept_for_max_age_frames(num_hidden, expected):
    tracker = standing(replace(AT_ONCE, max_age=4), 0)
    for _ in range(num_hidden):
        ids(tracker, sv.Detections.empty())
    assert ids(tracker, detections(0)) == expected


def test_a_track_is_returned_after_three_further_matches_but_in_the_first_frames_at_once():
    tracker = BoostTrack()
    assert [ids(tracker, detections(0)) for _ in range(4)] == [[1]] * 4
    assert [ids(tracker, detections(0, 500)) for _ in range(4)] == [[1], [1], [1], [1, 2]]


def test_a_detection_of_low_confidence_changes_the_appearance_little():
    tracker = standing(replace(PLAIN, ema=0.5), 0, looks=[RED], num_frames=2)
    ids(tracker, detections(0, scores=0.6), [GREEN])
    assert tracker._memory.distances(RED[None]) == pytest.approx(0, abs=1e-6)
    ids(tracker, detections(0, scores=1.0), [GREEN])
    assert tracker._memory.distances(RED[None]) == pytest.approx(1 - np.sqrt(0.5), abs=1e-6)


def test_a_camera_without_motion_changes_nothing():
    plain, moving = BoostTrack(AT_ONCE), BoostTrack(AT_ONCE, camera=NoMotion())
    for left in (0, 4, 9, 13):
        assert ids(plain, detections(left)) == ids(moving, detections(left))
    assert plain._tracks.box_ltwh == pytest.approx(moving._tracks.box_ltwh)


def test_the_filter_equals_that_of_a_textbook():
    motion, rng = XyhrMotion(), np.random.default_rng(0)
    boxes = np.column_stack([np.arange(6) * 5.0, np.full(6, 100.0), np.full(6, 40.0), 100 + rng.normal(0, 3, 6)])
    measured = np.stack([boxes[:, 0] + 20, 100 + boxes[:, 3] / 2, boxes[:, 3], 40 / boxes[:, 3]], axis=1)
    mean, covariance = np.concatenate([measured[0], np.zeros(4)]), np.diag([10.0] * 4 + [1e4] * 4)
    step = np.eye(8) + np.diag(np.ones(4), 4)
    state = motion.start(boxes[:1])
    for box, value in zip(boxes[1:], measured[1:], strict=True):
        mean, covariance = step @ mean, step @ covariance @ step.T + np.diag([1.0] * 4 + [0.01] * 4)
        gain = covariance[:, :4] @ np.linalg.inv(covariance[:4, :4] + np.diag([1, 1, 10, 0.01]))
        mean, covariance = mean + gain @ (value - mean[:4]), covariance - gain @ covariance[:4]
        state = motion.correct(motion.predict(state), box[None])
    assert state.means[0] == pytest.approx(mean)
    assert state.covariances[0] == pytest.approx(covariance)
    assert motion.boxes(motion.start(boxes)) == pytest.approx(boxes)


def test_a_predicted_height_and_width_stay_positive():
    motion = XyhrMotion()
    state = motion.start(np.array([[0.0, 0, 40, 100]]))
    state.means[:, 6:] = [-150, -2]
    assert (motion.boxes(motion.predict(state))[:, 2:] > 0).all()


def test_the_similarities_of_boxes_equal_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    tracks, boxes = (ltwh_to_ltrb(rng.uniform(10, 100, (num, 4))) for num in (4, 6))
    confidence = rng.random(4)
    shapes, shares = shape_similarity(tracks, boxes), soft_biou(tracks, boxes, confidence)
    for row, track in enumerate(tracks):
        for column, box in enumerate(boxes):
            a, b = track[2:] - track[:2], box[2:] - box[:2]
            assert shapes[row, column] == pytest.approx(np.exp(-(abs(a - b) / np.maximum(a, b)).sum()))
            margin_a, margin_b = 0.5 * (1 - confidence[row]) * a, 0.25 * (1 - confidence[row]) * b
            large_a = np.concatenate([track[:2] - margin_a, track[2:] + margin_a])
            large_b = np.concatenate([box[:2] - margin_b, box[2:] + margin_b])
            assert shares[row, column] == pytest.approx(iou_matrix(large_a, large_b)[0, 0])
