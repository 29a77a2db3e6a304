"""The evidence tracker: each term of its evidence, time in seconds, and streams that do not end."""

import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_t

from reidops.errors import ReidopsError
from reidops.tracking import evidence
from reidops.tracking.constants import EvidenceConstants, constants_of
from reidops.tracking.evidence import EvidenceTracker, covered_shares
from reidops.tracking.likelihood import linear_rows, read_table
from reidops.tracking.motion_decaying import DecayingMotion
from reidops.tracking.passers_by import PassersBy
from reidops.tracking.presence import GONE, VISIBLE, PresenceChain
from reidops.tracking.returns import Returns

RED, GREEN = np.eye(8, dtype=np.float32)[:2]
MOTION = DecayingMotion(0.2, (0.5, 0.1), 2.0, 0.2, 0.05, (0.05, 0.04, 0.1, 0.03))
TABLE = ((0.0, 6.0), (0.5, 0.0), (1.0, -6.0))


def boxes(*places, height=100.0):
    xyxy = np.array([[x, y, x + 40, y + height] for x, y in places], dtype=float).reshape(-1, 4)
    return sv.Detections(xyxy=xyxy, confidence=np.ones(len(xyxy)), class_id=np.zeros(len(xyxy), int))


def follow(tracker, frames, **arguments):
    """Return the ids of each frame; a frame is a list of (place, look), sorted by place."""
    found = []
    for seen in frames:
        looks = np.array([look for _, look in seen]).reshape(-1, 8).astype(np.float32)
        found.append(tracker.update(boxes(*(place for place, _ in seen)), looks, **arguments).tracker_id.tolist())
    return found


def test_two_people_who_change_places_between_two_frames_keep_their_ids_by_appearance_and_swap_them_without():
    places = [((100, 100), RED), ((160, 100), GREEN)]
    swapped = [((100, 100), GREEN), ((160, 100), RED)]
    assert follow(EvidenceTracker(gate=TABLE, frame_rate=2), [places] * 3 + [swapped])[-1] == [2, 1]
    by_motion = EvidenceTracker(frame_rate=2)
    for seen in [places] * 3 + [swapped]:
        ids = by_motion.update(boxes(*(place for place, _ in seen))).tracker_id.tolist()
    assert ids == [1, 2]


def test_an_embedding_of_zeros_adds_no_evidence():
    nothing = np.zeros(8)
    frames = [[((100 + 2 * n, 100), nothing)] for n in range(6)]
    assert follow(EvidenceTracker(gate=TABLE), frames) == [[1]] * 6


@pytest.mark.parametrize(("seconds", "expected"), [(0.5, [1]), (60.0, [])])
def test_a_lost_person_is_kept_by_time_whatever_the_frame_rate(seconds, expected):
    for rate in (30, 4):
        tracker = EvidenceTracker(gate=TABLE, frame_rate=rate)
        here = [((100, 100), RED)]
        follow(tracker, [here] * 4 + [[]] * int(seconds * rate))
        assert [i for i in follow(tracker, [here])[0] if i == 1] == expected


def test_one_time_stamp_that_is_ten_seconds_later_equals_ten_seconds_of_frames_without_detections():
    stamped, counted = (EvidenceTracker(gate=TABLE, frame_rate=1) for _ in range(2))
    far = boxes((1500, 100))
    for n in range(3):
        stamped.update(boxes((100, 100)), timestamp=float(n))
        counted.update(boxes((100, 100)))
    for _ in range(9):
        counted.update(sv.Detections.empty())
    later = [tracker.update(far, timestamp=t).tracker_id.tolist() for tracker, t in ((stamped, 12.0), (counted, None))]
    assert later[0] == later[1] == [2]


@pytest.mark.parametrize("timestamps", [[5, 5, 5, 5], [9, 3, 4, 2], [0, 1e9, 1e9 + 1, 1e9 + 2]])
def test_time_stamps_that_stand_still_go_back_or_jump_give_finite_tracks(timestamps):
    tracker = EvidenceTracker(gate=TABLE)
    for timestamp in timestamps:
        result = tracker.update(boxes((100, 100), (300, 100)), np.stack([RED, GREEN]), timestamp=timestamp)
        assert np.isfinite(result.xyxy).all() and len(set(result.tracker_id.tolist())) == len(result)


@pytest.mark.parametrize("timestamp", [np.nan, np.inf])
def test_a_time_stamp_that_is_not_finite_is_refused_with_its_frame(timestamp):
    with pytest.raises(ReidopsError, match="frame 1"):
        EvidenceTracker().update(boxes((0, 0)), timestamp=timestamp)


@pytest.mark.parametrize("rate", [0, -1, np.nan])
def test_a_frame_rate_that_is_not_positive_is_refused(rate):
    with pytest.raises(ReidopsError, match="frame_rate"):
        EvidenceTracker(frame_rate=rate)


def test_a_new_track_takes_the_id_of_a_lost_person_when_all_its_crops_together_show_that_person():
    half = (RED + 1.2 * GREEN) / np.linalg.norm(RED + 1.2 * GREEN)  # the first crop decides nothing
    tracker = EvidenceTracker(constants_of("evidence", {"identify": 2.0}), TABLE, frame_rate=10)
    follow(tracker, [[((100, 100), RED)]] * 10 + [[]] * 5)
    seen = follow(tracker, [[((200, 100), half)]] + [[((200, 100), RED)]] * 12)
    assert seen[-1] == [1]
    without = EvidenceTracker(constants_of("evidence", {"identify": 0.0}), TABLE, frame_rate=10)
    follow(without, [[((100, 100), RED)]] * 10 + [[]] * 5)
    assert follow(without, [[((200, 100), half)]] + [[((200, 100), RED)]] * 12)[-1] == [2]


def test_tracks_and_memory_of_a_stream_that_never_ends_are_bounded():
    tracker, rng = EvidenceTracker(gate=TABLE, frame_rate=10), np.random.default_rng(0)
    most = 0
    for _ in range(1500):  # everybody is somebody else: each detection starts a track
        looks = rng.standard_normal((6, 8)).astype(np.float32)
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        tracker.update(boxes(*rng.uniform(0, 2000, (6, 2))), looks)
        most = max(most, len(tracker._tracks))
    assert most < 900 and len(tracker._returns._lost_of) < 200


def test_the_density_of_a_box_is_that_of_a_students_t():
    state = MOTION.predict(MOTION.start(np.array([[100.0, 50, 40, 100], [300, 80, 50, 120]])))
    box = np.array([[104.0, 52, 42, 99], [310, 70, 48, 125], [100, 50, 40, 100]])
    measured = MOTION.measure(box)
    distances, densities = MOTION.log_densities(state, measured, 6.0)
    np.testing.assert_allclose(distances, MOTION.gate_distances(state, box), rtol=1e-9)
    for row in range(2):
        scatter = state.covariances[row, :4, :4] + np.diag(MOTION._measured_variances(state.means)[row])
        expected = multivariate_t(state.means[row, :4], scatter, df=6.0).logpdf(measured)
        np.testing.assert_allclose(densities[row], expected, rtol=1e-9)


@settings(max_examples=30)
@given(st.floats(0.02, 3), st.integers(2, 8))
def test_one_step_of_the_motion_model_equals_several_shorter_ones(seconds, steps):
    start = MOTION.start(np.array([[100.0, 50, 40, 100]]))
    start.means[:, 4:] = [30, -5]
    whole = DecayingMotion(seconds, (0.5, 0.1), 2.0, 0.01, 0.0, (0.05, 0.04, 0.1, 0.03))
    part = DecayingMotion(seconds / steps, (0.5, 0.1), 2.0, 0.01, 0.0, (0.05, 0.04, 0.1, 0.03))
    one, many = whole.predict(start), start
    for _ in range(steps):
        many = part.predict(many)
    np.testing.assert_allclose(many.means, one.means, rtol=1e-9)
    np.testing.assert_allclose(many.covariances, one.covariances, rtol=1e-6, atol=1e-9)


def test_boxes_return_from_the_measurement_unchanged():
    box = np.array([[10.0, 20, 30, 70], [0, 0, 5, 200]])
    np.testing.assert_allclose(MOTION.boxes(MOTION.start(box)), box, atol=1e-9)


def test_presence_is_a_distribution_and_a_person_without_detections_is_gone_in_the_end():
    chain = PresenceChain(hide=0.2, back=0.5, leave=0.1, detect=0.9)
    states = np.array([[1.0, 0, 0]])
    for _ in range(300):
        states = chain.update(chain.predict(states, 0.1), np.array([False]))
        np.testing.assert_allclose(states.sum(), 1)
    assert states[0, GONE] > 0.99
    assert chain.update(states, np.array([True]))[0, VISIBLE] == 1


def test_a_longer_gap_makes_a_detection_of_the_same_person_less_likely():
    chain = PresenceChain(hide=0.2, back=0.5, leave=0.1, detect=0.9)
    states, odds = np.array([[1.0, 0, 0]]), []
    for _ in range(20):
        states = chain.predict(states, 0.2)
        odds.append(float(chain.log_odds(states)[0]))
        states = chain.update(states, np.array([False]))
    assert odds == sorted(odds, reverse=True)


def test_the_density_of_anyone_integrates_to_one_over_the_extent_of_the_boxes():
    anyone = PassersBy()
    box = np.array([[0.0, 0, 40, 100], [160, 100, 200, 200]])
    anyone.add(MOTION.measure(np.array([[0.0, 0, 40, 100], [160, 100, 40, 100]])), box)
    aspects, heights = np.linspace(-4, 2, 301), np.linspace(1, 8, 301)
    grid = np.array([[0, 0, a, h] for a in aspects for h in heights])
    cell = (aspects[1] - aspects[0]) * (heights[1] - heights[0]) * 200 * 200
    assert np.exp(anyone.log_densities(grid)).sum() * cell == pytest.approx(1, abs=1e-3)


def test_a_box_is_covered_by_the_share_that_a_box_in_front_of_it_hides():
    box = np.array([[0.0, 0, 10, 100], [5, 50, 15, 120], [100, 0, 110, 100]])
    assert covered_shares(box).tolist() == [0.25, 0, 0]
    assert covered_shares(np.zeros((0, 4))).tolist() == []


def test_shares_that_are_covered_do_not_depend_on_the_size_of_the_blocks(monkeypatch):
    corners = np.random.default_rng(0).uniform(0, 50, (40, 2))
    box = np.hstack([corners, corners + np.random.default_rng(1).uniform(1, 30, (40, 2))])
    at_once = covered_shares(box)
    monkeypatch.setattr(evidence, "_PAIRS_AT_ONCE", 120)
    assert np.array_equal(covered_shares(box), at_once) and at_once.any()


@pytest.mark.parametrize(
    "rows", [[], [[0, 1]], [[0, 1], [0, 0]], [[0, 0], [1, 1]], [[0, np.nan], [1, 0]], [[1, 2, 3]] * 2]
)
def test_a_table_that_is_no_likelihood_table_is_refused(rows):
    with pytest.raises(ReidopsError, match="likelihood table"):
        read_table(rows)


def test_a_linear_table_is_zero_at_its_zero_and_limited():
    table = read_table(linear_rows(0.4, 10.0, 3.0))
    np.testing.assert_allclose(table(np.array([0.0, 0.4, 0.5, 2.0])), [3.0, 0.0, -1.0, -3.0], atol=1e-9)


def test_returns_name_the_most_likely_lost_person_and_forget_old_tracks():
    returns = Returns(seconds=1.0)
    returns.start(7, 0.0, np.array([1, 2, 3]), np.array([-2.0, -1.0, -50.0]))
    rows = {1: 10, 2: 20, 3: 30}
    assert returns.best(7, rows, lambda row: {10: 5.0, 20: 4.5}[row]) == 20
    assert returns.best(7, rows, lambda row: 0.5) is None
    returns.forget(2.0)
    assert 7 not in returns


def test_without_calibration_the_table_is_that_of_the_constants():
    constants = EvidenceConstants()
    assert EvidenceTracker()._table(np.array([constants.gate])) == pytest.approx(0)


def test_a_track_without_embedding_gives_no_evidence_of_appearance_to_another():
    tracker = EvidenceTracker(gate=TABLE)
    tracker.update(boxes((100, 100), (300, 100), (500, 100)), np.stack([RED, RED, np.zeros(8, np.float32)]))
    assert tracker._likeness(0, 1) == pytest.approx(6.0)
    assert tracker._likeness(0, 2) == tracker._likeness(2, 1) == 0
