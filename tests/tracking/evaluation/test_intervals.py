"""The null experiment on drawn tracks: models that are equal by construction rarely differ significantly."""

from itertools import combinations

import numpy as np
import pytest

from reidops.tracking.evaluation.bootstrap import LeaveOneOut, best_intervals
from reidops.tracking.evaluation.windows import FrameTables

NUM_PEOPLE, NUM_FRAMES, NUM_MODELS = 24, 600, 14


def draw_tracks(rng: np.random.Generator) -> FrameTables:
    """Return people who are always there and held, each by a new track after breaks at random times, one in 400 frames
    on average.
    """
    breaks = rng.random((NUM_FRAMES, NUM_PEOPLE)) < 1 / 400
    switched = np.cumsum(breaks, axis=0)
    frame, person = (part.ravel() for part in np.indices((NUM_FRAMES, NUM_PEOPLE)))
    _, track = np.unique(person * NUM_FRAMES + switched.ravel(), return_inverse=True)
    couples = np.unique(np.column_stack([person, track]), axis=0)
    at = np.column_stack([frame, track])  # each track is of one person, so couples and tracks have the same numbers
    errors = np.column_stack([np.zeros((NUM_FRAMES, 2), int), breaks.sum(axis=1)])
    return FrameTables(
        errors, np.column_stack([frame, person]), at, couples, at, np.column_stack([at, np.full(len(at), 19)])
    )


@pytest.fixture(scope="module")
def pairs():
    """Return the intervals of all pairs of models that differ by chance alone."""
    rng = np.random.default_rng(5)
    models = [LeaveOneOut.of(draw_tracks(rng), 30) for _ in range(NUM_MODELS)]
    return [best_intervals([a], [b]) for a, b in combinations(models, 2)]


@pytest.mark.parametrize("score", ["IDF1", "HOTA", "AssA", "MOTA"])
def test_equal_models_are_rarely_significant(pairs, score):
    excluded = np.mean([not pair[score].low <= 0 <= pair[score].high for pair in pairs])
    assert excluded <= 0.1


@pytest.mark.parametrize("score", ["IDF1", "HOTA", "AssA"])
def test_a_better_model_is_significant(score):
    rng = np.random.default_rng(6)
    worse = draw_tracks(rng)
    whole = worse.people  # nobody's track breaks
    ids = np.arange(NUM_PEOPLE)
    matches, none = np.column_stack([whole, np.full(len(whole), 19)]), np.zeros((NUM_FRAMES, 3), int)
    better = FrameTables(none, whole, whole, np.column_stack([ids, ids]), whole, matches)
    lead = best_intervals([LeaveOneOut.of(better, 30)], [LeaveOneOut.of(worse, 30)])
    assert lead[score].low > 0
