import numpy as np
import pandas as pd
import pytest

from reidops.tracking.constants import CONSTANTS, WITHOUT_APPEARANCE, BotSortConstants
from reidops.tracking.decisions import Decisions
from reidops.tracking.evaluation.decided import (
    STAGES_WITHOUT_APPEARANCE,
    Decided,
    appearance_rule,
    appearance_statement,
    count_decided,
    equal_tracks,
)


def decisions(overlap, appearance, pairs, **limits) -> Decisions:
    """Return a frame's decisions; rows are tracks, columns detections."""
    terms = {"overlap": np.array(overlap, float)} | (
        {} if appearance is None else {"appearance": np.array(appearance, float)}
    )
    made = tuple((row, column, "stage") for row, column in pairs)
    return Decisions(
        np.arange(len(overlap)) + 1,
        np.arange(len(overlap[0])),
        terms,
        {"overlap": 0.7, "appearance": 0.3} | limits,
        made,
    )


NEAR, FAR = 0.1, 1.0
CROSSED = [[0.4, 0.2], [0.2, 0.4]]  # each track overlaps the other's detection more
LOOKS = [[0.1, 0.9], [0.9, 0.1]]


@pytest.mark.parametrize(
    ("overlap", "appearance", "pairs", "decided", "because"),
    [
        ([[NEAR]], [[0.1]], [(0, 0)], 0, "overlap alone would have made it"),
        ([[FAR]], [[0.1]], [(0, 0)], 1, "they do not overlap"),
        ([[0.75]], [[0.1]], [(0, 0)], 1, "they overlap less than the tracker's gate asks for"),
        ([[0.75]], [[0.4]], [(0, 0)], 0, "its looks did not pass the gate, something else made it"),
        ([[FAR]], [[np.nan]], [(0, 0)], 0, "looks were not weighed"),
        ([[FAR]], None, [(0, 0)], 0, "the tracker saw no looks"),
        (CROSSED, LOOKS, [(0, 0), (1, 1)], 2, "overlap would have swapped them"),
        (CROSSED, LOOKS, [(0, 1), (1, 0)], 0, "they went as overlap has it"),
        ([[0.3], [0.2]], [[0.1], [0.9]], [(0, 0)], 1, "a free track overlaps the detection more"),
    ],
)
def test_a_pair_is_decided_by_appearance_when_overlap_alone_would_not_have_made_it(
    overlap, appearance, pairs, decided, because
):
    found = count_decided(decisions(overlap, appearance, pairs))
    assert (found.num_pairs, found.num_decided) == (len(pairs), decided), because


@pytest.mark.parametrize("stage", STAGES_WITHOUT_APPEARANCE)
def test_a_stage_that_does_not_weigh_looks_decides_nothing_by_them(stage):
    seen = decisions([[FAR, NEAR], [NEAR, FAR]], LOOKS, [])
    made = Decisions(seen.track_ids, seen.rows, seen.terms, seen.limits, ((0, 0, stage), (1, 1, "first")))
    assert count_decided(made) == Decided(2, 1, 1)


def test_where_the_tracker_has_no_gate_of_overlap_boxes_must_touch():
    without = decisions([[0.99], [FAR]], [[0.1], [0.1]], [(0, 0)])
    limits = {"appearance": 0.3}
    assert count_decided(Decisions(without.track_ids, without.rows, without.terms, limits, without.pairs)) == Decided(
        1, 0
    )
    apart = Decisions(without.track_ids, without.rows, without.terms, limits, ((1, 0, "stage"),))
    assert count_decided(apart) == Decided(1, 1)


def test_before_the_first_frame_and_without_tracks_nothing_is_decided():
    assert count_decided(None) == Decided()
    empty = Decisions(np.zeros(0, int), np.arange(2), {"overlap": np.zeros((0, 2))}, {}, ())
    assert count_decided(empty) == Decided()
    assert Decided().share == 0 and (Decided(4, 1) + Decided(6, 1)).share == 0.2


@pytest.mark.parametrize(
    ("control", "appearance", "track_ids", "pair", "reordered", "because"),
    [
        (
            [[0.2], [0.4]],
            [[0.3], [0.1]],
            (1, 2),
            (1, 0),
            1,
            "the control ranks the other track first, appearance this one",
        ),
        ([[0.4], [0.2]], [[0.3], [0.1]], (1, 2), (1, 0), 0, "both rank this track first"),
        (
            [[0.2], [0.4]],
            [[0.1], [0.3]],
            (1, 2),
            (1, 0),
            0,
            "both rank the other track first: something else made the pair",
        ),
        ([[0.3], [0.3]], [[0.3], [0.1]], (1, 2), (1, 0), 0, "a tie is the control's"),
        ([[0.4]], [[0.1]], (1,), (0, 0), 0, "there is no other track"),
        ([[0.2], [0.4]], [[np.nan], [0.1]], (1, 2), (1, 0), 0, "appearance was not weighed for the other track"),
        ([[0.2], [0.4]], [[0.3], [np.nan]], (1, 2), (1, 0), 0, "appearance was not weighed for this track"),
        (
            [[0.2], [0.4]],
            [[0.3], [0.1]],
            (-1, 2),
            (1, 0),
            0,
            "the other track is not confirmed and takes no part in the stage",
        ),
        ([[0.2, 0.9], [0.4, 0.1]], [[0.3, 0.9], [0.1, 0.1]], (1, 2), (1, 0), 1, "the other detection plays no part"),
    ],
)
def test_a_pair_is_reordered_when_appearance_and_the_control_rank_its_detections_tracks_differently(
    control, appearance, track_ids, pair, reordered, because
):
    seen = decisions(control, appearance, [pair])
    by_overlap = Decisions(np.array(track_ids), seen.rows, seen.terms, seen.limits, seen.pairs)
    assert count_decided(by_overlap).num_reordered == reordered, because
    by_motion = seen.terms | {"motion": 10 * np.array(control), "overlap": np.full_like(np.array(control), 0.5)}
    assert (
        count_decided(Decisions(np.array(track_ids), seen.rows, by_motion, seen.limits, seen.pairs)).num_reordered
        == reordered
    ), because


def test_a_track_that_the_motion_gate_blocks_is_not_ranked():
    """The other track is nearer in motion than this one, and both are; only with the gate at 1 neither is a
    candidate.
    """
    terms = {
        "overlap": np.full((2, 1), 0.5),
        "motion": np.array([[2.0], [3.0]]),
        "appearance": np.array([[0.3], [0.1]]),
    }
    counted = {
        gate: count_decided(
            Decisions(np.array([1, 2]), np.zeros(1, int), terms, {"motion": gate}, ((1, 0, "first"),))
        ).num_reordered
        for gate in (1.0, 9.0)
    }
    assert counted == {1.0: 0, 9.0: 1}


def tracks(*ids: int, left: float = 0.0) -> pd.DataFrame:
    """Return a table with a box in each frame from 1, of these tracks."""
    box = {"left": left, "top": 0.0, "width": 4.0, "height": 9.0}
    return pd.DataFrame({"frame": np.arange(len(ids)) + 1, "track_id": ids, **box})


def test_tracks_are_equal_whatever_their_numbers():
    assert equal_tracks(tracks(1, 1, 2), tracks(5, 5, 3))
    assert not equal_tracks(tracks(1, 1, 2), tracks(1, 2, 2))
    assert not equal_tracks(tracks(1, 1, 2), tracks(1, 1, 2, left=1))
    assert not equal_tracks(tracks(1, 1, 2), tracks(1, 1))


def test_equal_tracks_in_all_arms_are_reported_with_the_constant_that_changes_it():
    equal = {arm: [tracks(1, 1, 2)] for arm in ("no_appearance", "random", "appearance", "oracle")}
    said = appearance_statement(equal, "botsort", appearance_rule("botsort", BotSortConstants()))
    assert said == (
        "botsort's rules leave appearance no say on these sequences: all arms give the same tracks;"
        " it uses appearance only where 1 − IoU is at most the constant proximity 0.5; raise proximity to 1.0 to let "
        "appearance decide"
    )


def test_a_model_that_changes_no_track_is_reported_where_the_oracle_changes_one():
    arms = {"no_appearance": [tracks(1, 1, 2)], "appearance": [tracks(1, 1, 2)], "oracle": [tracks(1, 1, 1)]}
    assert appearance_statement(arms, "botsort", "…").startswith("the model's embeddings change no track of botsort")
    assert appearance_statement(arms | {"appearance": [tracks(1, 2, 2)]}, "botsort", "…") == ""


def test_each_rule_names_a_constant_that_the_tracker_has():
    for tracker, start in CONSTANTS.items():
        rule = appearance_rule(tracker, start())
        assert (rule == "") == (tracker in WITHOUT_APPEARANCE)
        assert not rule or any(f"constant {name} " in rule for name in vars(start()))
