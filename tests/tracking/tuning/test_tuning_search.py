"""The search for constants: where it looks, and how it goes on."""

import pytest

from reidops.tracking.constants import CONSTANTS
from reidops.tracking.tuning.search import Budget, Tried, best_of, run_trials
from reidops.tracking.tuning.search_spaces import SEARCH_SPACES, Choices, Range, search_space
from reidops.tracking.tuning.trial_scores import split_values

OF_LOOKS = {
    "gate",
    "motion_weight",
    "appearance_weight",
    "ema",
    "alpha",
    "clearest",
    "budget",
    "proximity",
    "reassociate",
}


def search(changed, score, trials=10, seed=0, **budget):
    space = search_space("sort", {"min_hits": 1, "iou": 0.3, **changed})
    return list(run_trials(space, score, Budget(trials, "IDF1", seed, **budget), floor=0.0))


@pytest.mark.parametrize("tracker", CONSTANTS)
def test_the_ranges_surround_the_published_values_and_exclude_appearance(tracker):
    space, published = search_space(tracker, {}), CONSTANTS[tracker]()
    assert not OF_LOOKS & set(SEARCH_SPACES[tracker])
    for name, knob in space.knobs.items():
        assert isinstance(knob, Range) and knob.low <= getattr(published, name) <= knob.high
        assert knob.whole is isinstance(getattr(published, name), int)


def test_what_is_named_replaces_a_range_or_comes_beside():
    space = search_space(
        "botsort", {"max_age": 45, "gate": [0.1, 0.4], "fuse_score": [True, False], "proximity": [None, 0.5]}
    )
    assert space.held == {"max_age": 45} and space.knobs["gate"] == Range(0.1, 0.4)
    assert space.knobs["fuse_score"] == Choices((True, False)) and space.knobs["proximity"] == Choices((None, 0.5))
    assert {"high", "match"} < set(space.knobs)


def test_the_least_score_of_all_trials_decides_what_is_embedded():
    assert search_space("sort", {}).floor({"DPM": -0.2}) == {"DPM": -0.2}
    searched = search_space("sort", {"min_confidence": [0.2, 0.6]})
    assert searched.floor(0.5) == 0.2 and searched.floor(0.1) == 0.1 and searched.floor(None) is None
    assert search_space("sort", {"min_confidence": 0.4}).floor(0.5) == 0.4


def test_values_are_drawn_within_their_range_and_held_ones_stay():
    tried = search({"iou": [0.1115, 0.1125], "max_age": [2, 5]}, lambda values: {"IDF1": values["iou"]})
    assert len(tried) == 10 and [one.number for one in tried] == list(range(1, 11))
    for one in tried:
        assert (
            0.1115 <= one.values["iou"] <= 0.1125
            and one.values["max_age"] in (2, 3, 4, 5)
            and one.values["min_hits"] == 1
        )


def test_values_that_were_drawn_before_are_not_scored_again():
    scored = []
    tried = search(
        {"max_age": [4, 5]}, lambda values: scored.append(values["max_age"]) or {"IDF1": 0.1 * values["max_age"]}
    )
    assert sorted(scored) == [4, 5] and len(tried) == 10


def test_a_search_goes_where_the_score_is_high():
    tried = search({"max_age": [1, 200]}, lambda values: {"IDF1": -abs(values["max_age"] - 150)}, trials=40)
    assert abs(best_of(tried, "IDF1").values["max_age"] - 150) <= 3


def test_another_seed_tries_others_and_the_same_seed_the_same():
    first, again, other = (search({"max_age": [1, 99]}, lambda values: {"IDF1": 0.5}, seed=seed) for seed in (3, 3, 4))
    assert first == again and first != other


def test_no_trial_starts_after_the_timeout():
    assert search({"max_age": [1, 99]}, lambda values: {"IDF1": 0.5}, timeout_s=1e-9) == []


def test_the_first_of_equals_is_the_best_so_nothing_changes_for_nothing():
    tried = [Tried(number, {"max_age": number}, {"IDF1": score}) for number, score in enumerate((0.5, 0.5, 0.4))]
    assert best_of(tried, "IDF1").number == 0


def test_only_constants_that_differ_from_the_published_ones_are_written():
    values = {"max_age": 30, "iou_gate": 0.5, "gate": 0.3, "min_confidence": None}
    assert split_values(values, "deepsort") == ({"iou_gate": 0.5}, {"gate": 0.3})
