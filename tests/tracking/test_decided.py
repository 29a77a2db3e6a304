import numpy as np
import pytest

from reidops.tracking.decided import BLIND_STAGES, Decided, count_decided
from reidops.tracking.decisions import Decisions


def decisions(overlap, appearance, pairs, **limits) -> Decisions:
    """Return a frame's decisions; rows are tracks, columns detections."""
    terms = {"overlap": np.array(overlap, float)} | ({} if appearance is None else {"appearance": np.array(appearance, float)})
    made = tuple((row, column, "stage") for row, column in pairs)
    return Decisions(np.arange(len(overlap)) + 1, np.arange(len(overlap[0])), terms, {"overlap": 0.7, "appearance": 0.3} | limits, made)


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
def test_a_pair_is_decided_by_appearance_when_overlap_alone_would_not_have_made_it(overlap, appearance, pairs, decided, because):
    assert count_decided(decisions(overlap, appearance, pairs)) == Decided(len(pairs), decided), because


@pytest.mark.parametrize("stage", BLIND_STAGES)
def test_a_stage_that_does_not_weigh_looks_decides_nothing_by_them(stage):
    seen = decisions([[FAR, NEAR], [NEAR, FAR]], LOOKS, [])
    made = Decisions(seen.track_ids, seen.rows, seen.terms, seen.limits, ((0, 0, stage), (1, 1, "first")))
    assert count_decided(made) == Decided(2, 1)


def test_where_the_tracker_has_no_gate_of_overlap_boxes_must_touch():
    without = decisions([[0.99], [FAR]], [[0.1], [0.1]], [(0, 0)])
    limits = {"appearance": 0.3}
    assert count_decided(Decisions(without.track_ids, without.rows, without.terms, limits, without.pairs)) == Decided(1, 0)
    apart = Decisions(without.track_ids, without.rows, without.terms, limits, ((1, 0, "stage"),))
    assert count_decided(apart) == Decided(1, 1)


def test_before_the_first_frame_and_without_tracks_nothing_is_decided():
    assert count_decided(None) == Decided()
    empty = Decisions(np.zeros(0, int), np.arange(2), {"overlap": np.zeros((0, 2))}, {}, ())
    assert count_decided(empty) == Decided()
    assert Decided().share == 0 and (Decided(4, 1) + Decided(6, 1)).share == 0.2
