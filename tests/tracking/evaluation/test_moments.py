import numpy as np
import pytest

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.tracking.decisions import Decisions
from reidops.tracking.evaluation.moments import Moment, record_moments

# Frames 1 … 4 with two detections each, in an order of their own; the left edge tells frame and place.
DETECTED = EmbeddedDetections(
    frame=np.array([2, 1, 1, 2, 3, 3, 4, 4], np.int32),
    box_ltwh=np.array([[left, 0, 5, 9] for left in (21, 11, 12, 22, 31, 32, 41, 42)], np.float32),
    confidence=np.ones(8, np.float32),
    embeddings=np.eye(8, dtype=np.float32),
    weights_sha256="x",
)


class Backwards:
    """A tracker that weighs the detections of a frame last to first and counts its updates."""

    decisions = None

    def __init__(self):
        self.num_updates = 0

    def update(self, detections, embeddings=None, frame=None):
        self.num_updates += 1
        self.seen = embeddings
        order = np.arange(len(detections))[::-1]
        self.decisions = Decisions(np.array([5]), order, {"overlap": np.array([detections.xyxy[order, 0]])}, {}, ())
        detections.tracker_id = np.full(len(detections), 5)
        return detections


def test_a_moment_knows_which_detection_each_column_of_the_decisions_is():
    moments = record_moments(Backwards(), DETECTED, range(1, 5), {2, 3})
    lefts = {frame: DETECTED.box_ltwh[moment.detections, 0].tolist() for frame, moment in moments.items()}
    assert lefts == {2: [22, 21], 3: [32, 31]}
    assert moments[2].decisions.terms["overlap"].tolist() == [[22, 21]]


@pytest.mark.parametrize(("wanted", "expected"), [({2}, 2), ({1, 4}, 4), (set(), 0)])
def test_a_tracker_runs_no_further_than_the_last_frame_that_is_wanted(wanted, expected):
    tracker = Backwards()
    assert set(record_moments(tracker, DETECTED, range(1, 5), wanted)) == wanted
    assert tracker.num_updates == expected


def test_the_embeddings_are_kept_from_a_tracker_without_appearance():
    with_, without = Backwards(), Backwards()
    record_moments(with_, DETECTED, range(1, 5), {2})
    record_moments(without, DETECTED, range(1, 5), {2}, appearance=False)
    assert with_.seen.shape == (2, 8) and without.seen is None


MOMENT = Moment(
    Decisions(
        np.array([7, -1, 12]),
        np.array([0, 1]),
        {"overlap": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])},
        {"overlap": 0.3},
        ((2, 0, "one"),),
    ),
    np.array([31, 30]),
)


def test_a_detection_is_found_by_its_row_and_a_track_by_its_number():
    assert (MOMENT.column_of(30), MOMENT.column_of(31), MOMENT.column_of(1)) == (1, 0, None)
    assert (MOMENT.row_of(12), MOMENT.row_of(7), MOMENT.row_of(8), MOMENT.row_of(-1)) == (2, 0, None, None)


def test_a_pair_is_found_from_both_sides():
    assert (MOMENT.pair_of_row(2), MOMENT.pair_of_row(0), MOMENT.pair_of_row(None)) == ((0, "one"), None, None)
    assert (MOMENT.pair_of_column(0), MOMENT.pair_of_column(1)) == ((2, "one"), None)


def test_a_cost_as_large_as_its_gate_passes():
    at_the_gate, above = MOMENT.terms(1, 0)[0], MOMENT.terms(1, 1)[0]
    assert (at_the_gate.passes, at_the_gate.blocks, above.passes, above.blocks) == (True, False, False, True)
    assert MOMENT.terms(None, 0) == MOMENT.terms(0, None) == ()
