from itertools import combinations, permutations

import numpy as np
import pytest

from reidops.tracking.association import (
    free_columns,
    free_rows,
    match,
    match_among,
    match_best,
    match_cascade,
    split_pairs,
    staged,
)


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


@pytest.mark.parametrize("seed", range(20))
def test_matching_as_many_as_can_be_costs_as_little_as_brute_force_finds_before_the_limit_drops_pairs(seed):
    rng = np.random.default_rng(seed)
    costs = rng.uniform(0, 1, rng.integers(1, 5, 2))
    wide = costs if costs.shape[0] <= costs.shape[1] else costs.T
    least = min(
        sum(wide[i, c] for i, c in enumerate(columns)) for columns in permutations(range(wide.shape[1]), len(wide))
    )
    everybody = match_best(costs, 1.0)
    assert len(everybody) == min(costs.shape)
    assert sum(costs[pair] for pair in everybody) == pytest.approx(least)
    assert match_best(costs, 0.5) == [pair for pair in everybody if costs[pair] <= 0.5]


def test_no_pair_costs_more_than_the_limit():
    assert match(np.array([[0.5, 0.7], [0.7, 0.71]]), 0.6) == [(0, 0)]
    assert match(np.array([[np.inf]]), 0.6) == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_matches_nothing(shape):
    assert match(np.zeros(shape), 1.0) == match_best(np.zeros(shape), 1.0) == []
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


def test_pairs_keep_their_stage_and_come_apart_into_rows_and_columns():
    pairs = staged([(3, 0)], "first") + staged([(1, 2)], "second")
    assert pairs == [(3, 0, "first"), (1, 2, "second")]
    rows, columns = split_pairs(pairs)
    assert (rows.tolist(), columns.tolist()) == ([3, 1], [0, 2])
    assert free_rows(np.zeros((4, 3)), pairs) == [0, 2]
    assert [part.dtype.kind for part in split_pairs([])] == ["i", "i"]


def test_tracks_that_nothing_is_near_to_leave_the_cascade_as_it_is():
    rng = np.random.default_rng(0)
    for _ in range(30):
        costs = np.where(rng.uniform(size=(12, 6)) < 0.2, rng.uniform(size=(12, 6)), np.inf)
        tracks, ages = rng.permutation(12)[:10], rng.integers(1, 5, 10)
        expected = []
        for age in range(1, 5):
            expected += match_among(costs, 0.7, tracks[ages == age], free_columns(costs, expected))
        assert match_cascade(costs, 0.7, tracks, ages) == expected
