from itertools import combinations, permutations

import numpy as np
import pytest

from reidops.tracking.association import free_columns, free_rows, match, match_cascade


def least_total(costs: np.ndarray, limit: float) -> float:
    """Try every set of pairs: what they cost, with `limit` for each track left alone."""
    num_tracks, num_detections = costs.shape
    totals = [num_tracks * limit]
    for size in range(1, min(costs.shape) + 1):
        for rows in combinations(range(num_tracks), size):
            for columns in permutations(range(num_detections), size):
                chosen = costs[list(rows), list(columns)]
                if (chosen <= limit).all():
                    totals.append(chosen.sum() + (num_tracks - size) * limit)
    return min(totals)


@pytest.mark.parametrize("seed", range(30))
def test_matching_costs_as_little_as_brute_force_finds(seed):
    rng = np.random.default_rng(seed)
    costs = rng.uniform(0, 1, rng.integers(1, 5, 2))
    costs[rng.uniform(size=costs.shape) < 0.2] = np.inf
    pairs = match(costs, 0.6)
    total = sum(costs[pair] for pair in pairs) + (len(costs) - len(pairs)) * 0.6
    assert total == pytest.approx(least_total(costs, 0.6))


def test_no_pair_costs_more_than_the_limit():
    assert match(np.array([[0.5, 0.7], [0.7, 0.71]]), 0.6) == [(0, 0)]
    assert match(np.array([[np.inf]]), 0.6) == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_matches_nothing(shape):
    assert match(np.zeros(shape), 1.0) == []
    assert match_cascade(np.zeros(shape), 1.0, list(range(shape[0])), [1] * shape[0]) == []


def test_in_the_cascade_the_track_seen_last_chooses_first():
    costs = np.array([[0.1], [0.2]])
    assert match_cascade(costs, 1.0, [0, 1], ages=[5, 1]) == [(1, 0)]
    assert match_cascade(costs, 1.0, [0, 1], ages=[1, 1]) == [(0, 0)]


def test_the_cascade_leaves_out_the_tracks_that_do_not_take_part():
    assert match_cascade(np.array([[0.1, 0.9], [0.2, 0.8]]), 1.0, [1], ages=[1]) == [(1, 0)]


def test_what_no_pair_holds_is_free():
    costs = np.zeros((3, 2))
    assert free_rows(costs, [(1, 0)]) == [0, 2]
    assert free_columns(costs, [(1, 0)]) == [1]
