import numpy as np
import pandas as pd
import pytest

from reidops.tracking.decisions import Decisions
from reidops.tracking.evaluation.moments import Moment, Term, number
from reidops.tracking.evaluation.reasons import explain
from reidops.tracking.evaluation.switches import Sighting, Switch

DETECTIONS = np.array([20, 21])  # rows of the sequence's detections
# Person 3 was track 7, last seen in frame 59, and is track 12 in frame 100, which had held person 4.
STOLEN = Switch(Sighting(59, 7, 3), Sighting(100, 12, 3), Sighting(99, 12, 4))
BEGUN = Switch(Sighting(59, 7, 3), Sighting(100, 12, 3), None)


def tracks(*rows, detection=DETECTIONS[0]):
    """Return a table of tracks of rows (frame, track_id), all with one detection."""
    return pd.DataFrame([(*row, detection) for row in rows], columns=["frame", "track_id", "detection"])


SEEN = tracks((58, 7), (59, 7), (99, 12), (100, 12))


def moment(*, old=(0.95, 0.62, 45.1), new=(0.31, 0.2, 2.3), pairs=((1, 0, "cascade"),), track_ids=(7, 12)):
    """Return a moment of two tracks and two detections; `old` and `new` are overlap, appearance, motion with the first
    detection.
    """
    values = np.stack([[[a, 0.5] for a in old], [[b, 0.9] for b in new]], axis=1)
    terms = dict(zip(("overlap", "appearance", "motion"), values, strict=True))
    limits = {"appearance": 0.5, "motion": 9.4877}
    return Moment(Decisions(np.array(track_ids), np.array([0, 1]), terms, limits, pairs), DETECTIONS)


def sentence(switch, seen, boxes=SEEN):
    return explain(switch, {100: seen}, boxes).sentence


def test_a_blocked_track_is_told_with_its_age_its_cost_and_its_gate():
    found = sentence(BEGUN, moment(old=(0.95, 0.62, 4.0), pairs=()))
    assert (
        found
        == "Track 7 was 41 frames old: appearance 0.62 > gate 0.50 blocked it (motion 4.00 ≤ gate 9.49 did not); a new "
        "track began."
    )


def test_all_gates_that_blocked_are_told_and_those_that_let_the_other_one_through():
    assert sentence(STOLEN, moment()) == (
        "Track 7 was 41 frames old: appearance 0.62 > gate 0.50 and motion 45.1 > gate 9.49 blocked it;"
        " track 12, which had held person 4, came through stage “cascade”: appearance 0.20 ≤ gate 0.50, motion 2.30 ≤ "
        "gate 9.49."
    )


def test_a_coasting_frame_of_the_old_track_does_not_count_as_seen():
    coasting = pd.concat([SEEN, tracks((60, 7), detection=-1)])
    assert sentence(STOLEN, moment(), coasting).startswith("Track 7 was 41 frames old")


def test_a_track_that_was_given_up_is_told():
    found = sentence(STOLEN, moment(track_ids=(5, 12)))
    assert found.startswith("Track 7 had been given up, last seen 41 frames before; track 12")
    assert explain(STOLEN, {100: moment(track_ids=(5, 12))}, SEEN).old == ()


def test_a_track_that_went_to_another_detection_is_told_with_both_costs():
    found = sentence(STOLEN, moment(old=(0.3, 0.2, 1), pairs=((1, 0, "cascade"), (0, 1, "overlap"))))
    assert found.startswith(
        "Track 7 went to another detection in stage “overlap”: overlap 0.50, appearance 0.50, motion 0.50 there,"
        " overlap 0.30, appearance 0.20, motion 1.00 here; track 12"
    )


def test_a_track_that_passed_every_gate_was_not_chosen():
    found = sentence(STOLEN, moment(old=(0.3, 0.2, 1)), tracks((99, 7), (99, 12), (100, 12)))
    assert found.startswith(
        "Track 7 was seen in the frame before and could have passed (appearance 0.20 ≤ gate 0.50, motion"
    )


def test_a_track_that_is_not_shown_yet_is_told_as_just_begun():
    assert "track 12 (just begun) came through stage “overlap”" in sentence(
        BEGUN, moment(track_ids=(7, -1), pairs=((1, 0, "overlap"),))
    )


def test_a_term_that_was_not_weighed_blocks_nothing():
    found = explain(STOLEN, {100: moment(old=(0.95, np.nan, 45.1))}, SEEN)
    assert "old: motion 45.1 > gate 9.49 blocked it, and appearance was not weighed; track 12" in found.sentence
    assert [(term.weighed, term.blocks, term.passes) for term in found.old] == [
        (True, False, False),
        (False, False, False),
        (True, True, False),
    ]


def test_a_gate_of_appearance_alone_blocks_no_pair_but_keeps_appearance_from_being_weighed():
    """BoT-SORT's proximity."""
    terms = {"overlap": np.full((2, 2), 0.7), "proximity": np.full((2, 2), 0.7), "appearance": np.full((2, 2), np.nan)}
    limits = {"overlap": 0.8, "proximity": 0.5, "appearance": 0.25}
    decisions = Decisions(np.array([7, 12]), np.array([0, 1]), terms, limits, ((1, 0, "first"),))
    assert sentence(BEGUN, Moment(decisions, DETECTIONS)).startswith(
        "Track 7 was 41 frames old and could have passed (overlap 0.70 ≤ gate 0.80) but was not chosen,"
        " and appearance was not weighed (proximity 0.70 > gate 0.50); track 12"
    )


@pytest.mark.parametrize(
    ("moments", "boxes", "word"),
    [
        ({}, SEEN, "not recorded"),
        ({100: moment()}, tracks((59, 7), (100, 12), detection=5), "did not weigh this detection"),
        (
            {100: Moment(Decisions(np.array([7]), np.zeros(0, int), {}, {}, ()), np.zeros(0, int))},
            SEEN,
            "did not weigh this detection",
        ),
        ({100: moment(track_ids=(7, 31))}, SEEN, "linked after tracking"),
        ({100: moment()}, tracks((59, 7), (100, 12), detection=-1), "had no detection in this frame"),
    ],
)
def test_a_moment_that_tells_nothing_of_the_switch_is_said_to(moments, boxes, word):
    reason = explain(STOLEN, moments, boxes)
    assert word in reason.sentence and reason.old == reason.new == ()


def test_costs_are_written_short():
    assert [number(value) for value in (0.617, 9.4877, 45.12, 1203.4)] == ["0.62", "9.49", "45.1", "1,203"]
    assert (str(Term("a", 0.123, 0.12)), str(Term("a", 0.12, 0.12)), str(Term("a", 0.11996, 0.12))) == (
        "a 0.123 > gate 0.120",
        "a 0.12 ≤ gate 0.12",
        "a 0.11996 ≤ gate 0.12000",
    )
    assert (
        str(Term("overlap", 0.3, None)) == "overlap 0.30" and str(Term("motion", np.nan, 1.0)) == "motion not weighed"
    )
