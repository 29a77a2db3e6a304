import numpy as np
import pytest
import supervision as sv

from reidops.errors import ReidopsError
from reidops.tracking.constants import OcSortConstants
from reidops.tracking.decisions import OVERLAP
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.ocsort import DIRECTION, FIRST, LOW_SCORE, RECOVERED, OcSort
from reidops.tracking.sightings import Sightings, reupdate, warp_boxes

AT_ONCE = OcSortConstants(min_hits=0)


def detections(*lefts: float, top: float = 100.0, confidence: list[float] | None = None) -> sv.Detections:
    """Return boxes of 40 × 100 px at the given left edges."""
    left = np.array(lefts, dtype=float)
    box_ltrb = np.column_stack([left, np.full_like(left, top), left + 40, np.full_like(left, top + 100)])
    return sv.Detections(
        xyxy=box_ltrb.reshape(-1, 4), confidence=np.ones(len(left)) if confidence is None else np.array(confidence)
    )


def ids(tracker: OcSort, *lefts: float, **options) -> list[int]:
    return tracker.update(detections(*lefts, **options)).tracker_id.tolist()


def hide(tracker: OcSort, num_frames: int) -> None:
    for _ in range(num_frames):
        tracker.update(sv.Detections.empty())


def box(left: float, top: float = 100.0, width: float = 40.0, height: float = 100.0) -> np.ndarray:
    return np.array([[left, top, width, height]])


def plain_filter(
    mean: np.ndarray, covariance: np.ndarray, measured: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Carry one track of (x, y, s, r, ẋ, ẏ, ṡ) a frame on or, given what was measured, correct it; as in a textbook."""
    if measured is None:
        transition = np.eye(7)
        transition[0, 4] = transition[1, 5] = transition[2, 6] = 1
        return transition @ mean, transition @ covariance @ transition.T + np.diag([1, 1, 1, 1, 1e-2, 1e-2, 1e-4])
    gain = covariance[:, :4] @ np.linalg.inv(covariance[:4, :4] + np.diag([1, 1, 10, 10]))
    return mean + gain @ (measured - mean[:4]), covariance - gain @ covariance[:4]


def measure(left: float, top: float, width: float, height: float) -> np.ndarray:
    return np.array([left + width / 2, top + height / 2, width * height, width / height])


def seen_walking(lefts: list[float], delta: int = 3) -> Sightings:
    """Return what is remembered of one track that was at these left edges in the last frames, NaN = hidden."""
    motion = XysrMotion()
    sightings = Sightings(motion.start(np.zeros((0, 4))), delta)
    sightings.append(motion.start(box(lefts[0])), box(lefts[0]))
    for left in lefts[1:]:
        rows = [] if np.isnan(left) else [0]
        sightings.update(rows, sightings.state[rows], box(left)[rows])
    return sightings


def test_all_matched_tracks_are_returned_in_the_first_min_hits_frames_and_later_ones_after_min_hits_matches():
    tracker = OcSort()
    assert [ids(tracker, left) for left in (0, 3, 6)] == [[1], [1], [1]]
    assert [ids(tracker, left, left + 500) for left in (9, 12, 15, 18, 21)] == [[1], [1], [1], [1, 2], [1, 2]]


def test_a_lost_track_is_returned_with_its_id_after_three_consecutive_matches():
    tracker = OcSort()
    for left in range(0, 30, 3):
        ids(tracker, left)
    hide(tracker, 2)
    assert [ids(tracker, left) for left in (36, 39, 42)] == [[], [], [1]]


@pytest.mark.parametrize(("num_hidden", "expected"), [(4, [1]), (5, [2])])
def test_a_lost_track_is_kept_for_max_age_frames(num_hidden, expected):
    tracker = OcSort(OcSortConstants(min_hits=0, max_age=4))
    for _ in range(10):
        ids(tracker, 0)
    hide(tracker, num_hidden)
    assert ids(tracker, 0) == expected


@pytest.mark.parametrize(
    ("lefts", "reference"),
    [([0, 5, 9, 20], 0), ([0, 5, 9, 20, 22], 5), ([0, 5, np.nan, 20, np.nan], 20), ([7, 8, *[np.nan] * 5], 8)],
)
def test_the_reference_is_the_sighting_of_three_frames_ago_or_the_next_after_it_or_the_last(lefts, reference):
    """The frame that comes is one later than the last of the list."""
    expected = {0: 5, 5: 9, 20: 20, 8: 8}[reference]
    assert seen_walking(lefts).references[-1, 0, 0] == expected


def plain_reference(history: list[np.ndarray | None], interval: int) -> np.ndarray:
    """Return the oldest box of the last `interval` frames, else the last one of all; None = the track was hidden."""
    within = [box for box in history[-interval:] if box is not None]
    return within[0] if within else [box for box in history if box is not None][-1]


def test_references_equal_those_looked_up_in_the_whole_history():
    rng, delta, num_tracks = np.random.default_rng(0), 3, 5
    sightings, histories = Sightings(XysrMotion().start(np.zeros((0, 4))), delta), []
    for _ in range(30):
        rows = np.flatnonzero(rng.random(len(histories)) < 0.5)
        boxes = rng.uniform(20, 400, (len(rows), 4))
        sightings.update(rows, sightings.state[rows], boxes)
        for row, history in enumerate(histories):
            history.append(boxes[list(rows).index(row)] if row in rows else None)
        if len(histories) < num_tracks:
            first = rng.uniform(20, 400, (1, 4))
            sightings.append(XysrMotion().start(first), first)
            histories.append([first[0]])
        for row, history in enumerate(histories):
            for interval in range(1, delta + 1):
                assert (sightings.references[interval - 1, row] == plain_reference(history, interval)).all()


def test_agreement_is_a_half_ahead_minus_a_half_behind_and_nothing_sideways():
    sightings = seen_walking([0, 5, 10, 15])
    ahead, behind, above = (sightings.agreement(b)[0, 0] for b in (box(60), box(-60), box(5, top=0)))
    assert (ahead, behind, above) == pytest.approx((0.5, -0.5, 0), abs=1e-3)


def test_a_track_with_one_observation_has_no_direction():
    assert seen_walking([0]).agreement(np.concatenate([box(60), box(-60)])) == pytest.approx(np.zeros((1, 2)))


def test_agreement_equals_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    motion, boxes = XysrMotion(), rng.uniform(20, 400, (5, 6, 4))
    sightings = Sightings(motion.start(np.zeros((0, 4))), 3)
    sightings.append(motion.start(boxes[0]), boxes[0])
    for frame in boxes[1:]:
        sightings.update(np.arange(6), sightings.state, frame)
    new = rng.uniform(20, 400, (4, 4))
    for track in range(6):
        for detection in range(4):
            centre = [b[:2] + b[2:] / 2 for b in (boxes[1, track], boxes[4, track], boxes[2, track], new[detection])]
            walked, intended = centre[1] - centre[0], centre[3] - centre[2]
            angle = np.arccos(walked @ intended / np.linalg.norm(walked) / np.linalg.norm(intended))
            assert sightings.agreement(new)[track, detection] == pytest.approx(0.5 - angle / np.pi, abs=1e-6)


def test_the_direction_decides_between_two_detections_that_overlap_alike():
    """Somebody walks to the right and slows down; one detection lies a step ahead of the prediction, another a step
    behind it.
    """
    chosen = {}
    for inertia in (0.0, 2.0):
        tracker = OcSort(OcSortConstants(min_hits=0, inertia=inertia))
        for left in range(0, 100, 5):
            ids(tracker, left)
        tracker.update(detections(80, 121))
        chosen[inertia] = [column for _, column, stage in tracker.decisions.pairs if stage == FIRST]
    assert chosen == {0.0: [0], 2.0: [1]}


@pytest.mark.parametrize(("as_coded", "agreement"), [(True, 0.0), (False, 0.5)])
def test_the_published_code_leaves_the_first_detection_out_of_the_direction(as_coded, agreement):
    tracker = OcSort(OcSortConstants(min_hits=0, as_coded=as_coded))
    for left in (0, 10, 20):
        ids(tracker, left)
        decisions = 0.5 - tracker.decisions.terms[DIRECTION]
    assert decisions == pytest.approx(agreement, abs=1e-3)


def test_a_person_who_stops_behind_an_obstacle_is_recovered_at_the_last_observation():
    """The filter believes them a body's width further on; the last sighting knows better."""
    tracker = OcSort(AT_ONCE)
    for left in range(0, 300, 10):
        ids(tracker, left)
    hide(tracker, 6)
    assert ids(tracker, 292) == [1]
    assert tracker.decisions.terms[OVERLAP][0, 0] > 0.7
    assert tracker.decisions.pairs == ((0, 0, RECOVERED),)


@pytest.mark.parametrize("as_coded", [True, False])
def test_after_recovery_the_filter_goes_on_as_if_it_had_seen_the_way_in_between(as_coded):
    """Somebody turns round while hidden: what the filter was sure of before must not carry them off again."""
    tracker = OcSort(OcSortConstants(min_hits=0, as_coded=as_coded))
    for left in range(0, 100, 10):
        ids(tracker, left)
    hide(tracker, 5)
    ids(tracker, 84)
    box_ltwh = [box(left)[0] for left in range(0, 100, 10)] + [
        box(90 + (84 - 90) * share / 6)[0] for share in range(1, 7)
    ]
    mean, covariance = np.r_[measure(*box_ltwh[0]), 0, 0, 0], np.diag([10.0] * 4 + [1e4] * 3)
    for seen in box_ltwh[1:]:
        mean, covariance = plain_filter(*plain_filter(mean, covariance, None), measure(*seen))
    if as_coded:
        mean, covariance = plain_filter(mean, covariance, measure(*box_ltwh[-1]))
    assert tracker._tracks.state.means[0] == pytest.approx(mean)
    assert tracker._tracks.state.covariances[0] == pytest.approx(covariance)


def test_a_re_update_of_many_tracks_equals_a_plain_loop_over_each():
    rng, motion, gaps = np.random.default_rng(1), XysrMotion(), np.array([1, 4, 2, 9])
    last, found = rng.uniform(50, 90, (2, 4, 4))
    state = motion.correct(motion.predict(motion.start(last - 1)), last)
    decisions = reupdate(motion, state, last, found, gaps)
    for track, gap in enumerate(gaps):
        mean, covariance = state.means[track], state.covariances[track]
        for step in range(1, gap + 1):
            mean, covariance = plain_filter(mean, covariance, None)
            if step < gap:
                virtual = last[track] + (found[track] - last[track]) * step / gap
                mean, covariance = plain_filter(mean, covariance, measure(*virtual))
        assert decisions.means[track] == pytest.approx(mean)
        assert decisions.covariances[track] == pytest.approx(covariance)


def test_unsure_detections_are_left_out():
    tracker = OcSort(AT_ONCE)
    ids(tracker, 0)
    assert ids(tracker, 3, confidence=[0.59]) == []
    assert tracker.decisions.rows.tolist() == []


def test_with_the_byte_stage_low_score_detections_extend_a_track_but_start_none():
    tracker = OcSort(OcSortConstants(min_hits=0, byte=True))
    ids(tracker, 0)
    assert ids(tracker, 3, 500, 900, confidence=[0.59, 0.59, 0.05]) == [1]
    assert tracker.decisions.pairs == ((0, 0, LOW_SCORE),)
    assert len(tracker._tracks) == 1


def test_detections_without_confidence_are_all_is_high_score():
    tracker = OcSort(AT_ONCE)
    assert tracker.update(sv.Detections(xyxy=np.array([[0, 0, 40, 100.0]]))).tracker_id.tolist() == [1]


def test_a_sequence_without_detections_has_no_tracks():
    tracker = OcSort()
    assert [len(tracker.update(sv.Detections.empty())) for _ in range(5)] == [0] * 5
    assert tracker.decisions.pairs == ()


def test_embeddings_and_pictures_are_not_looked_at():
    tracker, plain = OcSort(), OcSort()
    for left in (0, 4, 8, 12):
        result = tracker.update(detections(left, left + 30), np.full((2, 3), np.nan), np.zeros((4, 4, 3), np.uint8))
        assert result.tracker_id.tolist() == ids(plain, left, left + 30)


def test_a_box_that_is_not_finite_is_refused():
    seen = detections(0, 50)
    seen.xyxy[1, 0] = np.nan
    with pytest.raises(
        ReidopsError, match="detection 1: box .*expected finite px and a positive size; drop such boxes"
    ):
        OcSort().update(seen)


def test_the_decisions_tell_terms_of_every_track_and_detection_and_the_gate():
    tracker = OcSort(AT_ONCE)
    ids(tracker, 0, 200)
    ids(tracker, 2, 202, 400)
    assert {name: values.shape for name, values in tracker.decisions.terms.items()} == {
        OVERLAP: (2, 3),
        DIRECTION: (2, 3),
    }
    assert tracker.decisions.limits == {OVERLAP: 0.7}
    assert tracker.decisions.track_ids.tolist() == [1, 2]
    assert tracker.decisions.pairs == ((0, 0, FIRST), (1, 1, FIRST))


def test_boxes_turn_about_the_camera_and_grow_with_it():
    quarter_turn_and_twice = np.array([[0, -2, 10], [2, 0, 0]])
    assert warp_boxes(box(0, 0), quarter_turn_and_twice)[0] == pytest.approx([10 - 100 - 40, 40 - 100, 80, 200])
