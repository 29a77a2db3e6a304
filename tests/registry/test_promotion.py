"""Promotion decisions on scores that can be checked by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from reidops.registry.promotion import (
    Bench,
    Bounds,
    Rival,
    Rule,
    SeedSpread,
    TrackingResult,
    decide_promotion,
    paired_differences,
)

BENCH = Bench({"05": "1-150:aa:bb", "06": "1-150:cc:dd"}, {"max_age": 30}, "c0de")
POINT = Rule(evidence="point")


def scored(
    version: str,
    combined: float,
    *,
    control: float = 0.5,
    random: float = 0.45,
    bench: Bench = BENCH,
    spread: float = 0.1,
) -> TrackingResult:
    """Return a result with two sequences, `spread` above and below the combined IDF1.

    Its intervals are 0.04 wide, over 10 windows.
    """
    appearance = {
        "combined": {"IDF1": combined, "HOTA": 0.4},
        "05": {"IDF1": combined + spread},
        "06": {"IDF1": combined - spread},
    }
    return TrackingResult(
        version,
        bench,
        appearance,
        {"combined": {"IDF1": control, "HOTA": 0.45}},
        {"combined": {"IDF1": random, "HOTA": 0.3}},
        over_no_appearance={"IDF1": around(combined - control)},
        over_random={"IDF1": around(combined - random)},
    )


def around(difference: float, units: int = 10) -> Bounds:
    return Bounds(difference - 0.02, difference + 0.02, units)


def rival(combined: float, lead: Bounds | None = None, **changes) -> Rival:
    return Rival(scored("1", combined, **changes), lead)


@pytest.mark.parametrize(
    ("challenger", "met", "rule", "wins", "says"),
    [
        (scored("1", 0.7), None, Rule(), True, "there was no champion"),
        (scored("1", 0.5), None, Rule(), False, "is not shown to help the tracker"),
        (
            scored("1", 0.51),
            None,
            Rule(),
            False,
            "[-0.0100, +0.0300] (10 windows); a lower bound above 0 (register.require_gain) is required",
        ),
        (scored("1", 0.51), None, POINT, True, "there was no champion"),
        (scored("1", 0.4), None, Rule(require_gain=False, beat_random=False), True, "there was no champion"),
        (
            scored("2", 0.7),
            rival(0.6, around(0.1)),
            Rule(),
            True,
            "IDF1 0.7000 beats the champion's 0.6000 (version 1): +0.1000 [+0.0800, +",
        ),
        (
            scored("2", 0.6),
            rival(0.7, around(-0.1)),
            Rule(),
            False,
            "does not beat the champion's 0.7000 (version 1): -0.1000",
        ),
        (scored("2", 0.7), rival(0.7, around(0.0)), Rule(), False, "does not beat"),
        (
            scored("2", 0.71),
            rival(0.7, around(0.01)),
            Rule(),
            False,
            "is not shown to beat the champion's 0.7000 (version 1): +0.0100 [-0",
        ),
        (
            scored("2", 0.76),
            rival(0.7, around(0.06)),
            Rule(min_margin=0.05),
            False,
            "a lower bound above register.min_margin 0.05",
        ),
        (scored("2", 0.78), rival(0.7, around(0.08)), Rule(min_margin=0.05), True, "beats"),
        (scored("2", 0.7), rival(0.7), POINT, False, "a difference above register.min_margin 0 is required"),
        (
            scored("2", 0.72),
            rival(0.7),
            Rule(min_margin=0.05, evidence="point"),
            False,
            "a difference of at least register.min_margin",
        ),
        (scored("2", 0.76), rival(0.7), Rule(min_margin=0.05, evidence="point"), True, "beats"),
        (
            scored("2", 0.8, control=0.85),
            rival(0.7, around(0.1)),
            Rule(),
            False,
            "IDF1 0.8000 with the model, 0.8500 without appearance",
        ),
        (scored("1", 0.6), rival(0.6), Rule(), True, "is the champion already"),
        (
            scored("2", 0.7),
            rival(0.6),
            Rule(score="HOTA"),
            False,
            "HOTA 0.4000 with the model, 0.4500 without appearance",
        ),
        (scored("2", math.nan), None, Rule(), False, "no combined IDF1"),
        (scored("2", 0.7), rival(math.nan), Rule(), False, "version 1, the champion, has no combined IDF1"),
    ],
)
def test_the_decision_and_its_reason(challenger, met, rule, wins, says):
    decision = decide_promotion(challenger, met, rule)
    assert decision.champion is wins
    assert says in decision.reason
    assert decision.evidence == rule.evidence


@pytest.mark.parametrize(
    ("rule", "wins"),
    [(Rule(), False), (POINT, False), (Rule(beat_random=False), True), (replace(POINT, beat_random=False), True)],
)
def test_a_model_that_is_not_better_than_random_vectors_is_not_promoted(rule, wins):
    """Random vectors raise this tracker's score from 0.50 to 0.70, so the model's 0.70 is no improvement."""
    decision = decide_promotion(scored("1", 0.7, random=0.7), None, rule)
    assert decision.champion is wins
    assert (
        "is not shown to beat random vectors: IDF1 0.7000 with the model, 0.7000 with random vectors" in decision.reason
    ) is not wins


def test_an_uncertain_lead_over_random_vectors_is_not_sufficient():
    close = scored("1", 0.71, random=0.7)
    assert not decide_promotion(close, None, Rule()).champion
    assert decide_promotion(close, None, POINT).champion


@pytest.mark.parametrize("against", ["no_appearance", "random", "champion"])
def test_too_few_windows_do_not_promote_and_the_remedy_is_given(against):
    few, challenger = Bounds(None, None, 4), scored("2", 0.7)
    if against != "champion":
        challenger = replace(challenger, **{f"over_{against}": {"IDF1": few}})
    decision = decide_promotion(challenger, rival(0.6, few if against == "champion" else around(0.1)), Rule())
    assert not decision.champion
    assert (
        "4 windows are too few for an interval: track more or longer sequences, or set register.evidence: point"
        in decision.reason
    )
    assert decide_promotion(challenger, rival(0.6), POINT).champion


def test_the_comparisons_hold_figures_intervals_units_and_whether_they_are_met():
    decision = decide_promotion(scored("2", 0.7), rival(0.69, around(0.01)), Rule(min_margin=0.005))
    found = {comparison.against: comparison for comparison in decision.comparisons}
    assert set(found) == {"champion", "no_appearance", "random"}
    lead = found["champion"]
    assert (lead.score, lead.other, lead.units, lead.above, lead.met) == (0.7, 0.69, 10, 0.005, False)
    assert (lead.difference, lead.low, lead.high) == pytest.approx((0.01, -0.01, 0.03))
    assert found["no_appearance"].met and found["random"].met


def test_a_champion_of_another_bench_that_cannot_be_scored_again_stays():
    other = Bench({"05": "1-150:aa:bb", "09": "1-150:cc:dd"}, {"max_age": 60}, "beef")
    met = Rival(scored("1", 0.6), obstacle="its weights are gone")
    for rule in (Rule(), POINT):
        decision = decide_promotion(scored("2", 0.9, bench=other), met, rule)
        assert not decision.champion and decision.champion_score is None
        assert (
            "scored on 05, 09, the champion on 05, 06; other tracker settings (max_age 60 against 30); "
            in decision.reason
        )
        assert "other code that tracks and scores (beef against c0de)" in decision.reason
        assert "could not be scored again on the current benchmark: its weights are gone" in decision.reason


def test_the_same_name_over_other_frames_or_files_is_another_sequence():
    other = Bench({"05": "1-150:aa:bb", "06": "76-150:cc:dd"}, {"max_age": 30}, "c0de")
    decision = decide_promotion(scored("2", 0.9, bench=other), rival(0.6), Rule())
    assert not decision.champion
    assert "other frames or files: 06" in decision.reason


def test_the_reason_states_that_the_champion_was_scored_again():
    decision = decide_promotion(scored("2", 0.7), replace(rival(0.6, around(0.1)), rescored=True), Rule())
    assert decision.champion and decision.rescored
    assert "the champion's 0.6000 (version 1, scored again on the current benchmark)" in decision.reason


def test_without_a_control_arm_the_model_is_not_promoted():
    challenger = TrackingResult("1", BENCH, {"combined": {"IDF1": 0.7}}, {})
    assert not decide_promotion(challenger, None, Rule()).champion
    assert decide_promotion(challenger, None, Rule(require_gain=False, beat_random=False)).champion


def test_differences_are_paired_by_sequence():
    pairs = paired_differences(scored("2", 0.7, spread=0.2), scored("1", 0.6, spread=0.1), "IDF1")
    assert pairs == pytest.approx({"05": 0.9 - 0.7, "06": 0.5 - 0.5})


def test_the_reason_counts_the_sequences_that_became_better():
    decision = decide_promotion(scored("2", 0.7, spread=0.2), rival(0.6, spread=0.0), Rule())
    assert "over the same 2 sequences, better on 1 (05 +0.3000, 06 -0.1000)" in decision.reason


def test_the_digest_of_a_benchmark_does_not_depend_on_order():
    turned = replace(BENCH, sequences=dict(reversed(BENCH.sequences.items())))
    assert turned.digest == BENCH.digest
    assert replace(BENCH, tracker={"max_age": 31}).digest != BENCH.digest
    assert replace(BENCH, code="beef").digest != BENCH.digest


def test_the_reason_ends_with_the_differences_from_both_controls_and_the_evidence():
    reason = decide_promotion(scored("1", 0.6), None, Rule()).reason
    assert reason.endswith(
        "; appearance adds +0.1000 [+0.0800, +0.1200] (10 windows) to this tracker's IDF1; the model's lead over "
        "random vectors is "
        "+0.1500 [+0.1300, +0.1700] (10 windows); one training: seed noise is unknown (repeat_seeds.num) "
        "(register.evidence: interval)"
    )


@pytest.mark.parametrize(
    ("rule", "wins", "says"),
    [
        (
            Rule(),
            False,
            "the tracker uses no embedding; choose an evaluate_tracking.tracker with appearance, or set "
            "register.require_gain and",
        ),
        (Rule(require_gain=False), False, "or set register.beat_random to false"),
        (Rule(require_gain=False, beat_random=False), True, "there was no champion"),
    ],
)
def test_a_tracker_without_appearance_cannot_show_a_gain(rule, wins, says):
    arm = {"combined": {"IDF1": 0.7}}
    decision = decide_promotion(TrackingResult("1", BENCH, arm, arm, uses_appearance=False), None, rule)
    assert decision.champion is wins
    assert says in decision.reason and "adds" not in decision.reason


def test_seed_noise_of_two_trainings_widens_the_lead_and_of_one_a_gain():
    """Half widths add up as squares: 0.02 of windows and 0.03 of seeds."""
    decision = decide_promotion(scored("2", 0.7), rival(0.65, around(0.05)), Rule(), SeedSpread(3, 0.007, 0.03))
    found = {comparison.against: comparison for comparison in decision.comparisons}
    assert found["champion"].low == pytest.approx(0.05 - math.sqrt(0.02**2 + 2 * 0.03**2))
    assert found["no_appearance"].high == pytest.approx(0.2 + math.sqrt(0.02**2 + 0.03**2))
    assert decision.champion
    assert not decide_promotion(
        scored("2", 0.7), rival(0.65, around(0.05)), Rule(), SeedSpread(3, 0.009, 0.04)
    ).champion


def test_seed_noise_of_two_trainings_is_stated_and_not_used():
    decision = decide_promotion(scored("2", 0.7), rival(0.65, around(0.05)), Rule(), SeedSpread(2, 0.5))
    assert decision.champion
    assert (
        "seed noise of 2 trainings, standard deviation 0.5000, is not used, 3 trainings are needed" in decision.reason
    )


NUM_WINDOWS, NUM_RETRAININGS, NUM_HISTORIES = 20, 30, 100
NOISE = 0.01  # standard deviation of an equal retraining's combined score
EQUAL = 0.7  # what all of them are worth
QUANTILE = stats.t.ppf(0.975, NUM_WINDOWS - 1)


def retrain_equally(rule: Rule, rng: np.random.Generator) -> tuple[int, float]:
    """Return how often one of 30 equal retrainings replaces the champion, and the last champion's score.

    A retraining's windows scatter around the same value; the interval of a lead is Student's, of the paired windows.
    """
    noise = rng.normal(0, NOISE * math.sqrt(NUM_WINDOWS), size=(NUM_RETRAININGS + 1, NUM_WINDOWS)) + EQUAL
    champion, num_promoted = 0, 0
    for number in range(1, NUM_RETRAININGS + 1):
        differences = noise[number] - noise[champion]
        half = QUANTILE * differences.std(ddof=1) / math.sqrt(NUM_WINDOWS)
        lead = Bounds(differences.mean() - half, differences.mean() + half, NUM_WINDOWS)
        met = Rival(scored(str(champion), noise[champion].mean()), lead)
        if decide_promotion(scored(str(number), noise[number].mean()), met, rule).champion:
            champion, num_promoted = number, num_promoted + 1
    return num_promoted, float(noise[champion].mean())


def histories(rule: Rule) -> np.ndarray:
    """Return promotions and the last champion's error in standard deviations, of many histories, [num_histories, 2]."""
    rng = np.random.default_rng(0)
    found = np.array([retrain_equally(rule, rng) for _ in range(NUM_HISTORIES)])
    return np.stack([found[:, 0], (found[:, 1] - EQUAL) / NOISE], axis=1)


def test_the_interval_rule_rarely_promotes_one_of_thirty_equal_retrainings():
    """At most 2 % of 30 retrainings are promoted on average, and the champion's error is below a standard deviation."""
    promotions, errors = histories(Rule()).T
    assert promotions.mean() / NUM_RETRAININGS < 0.02
    assert abs(errors.mean()) < 1.0


def test_the_point_rule_ends_two_standard_deviations_too_high_after_thirty_equal_retrainings():
    """The largest of 31 equal draws is expected 2.06 standard deviations above their mean."""
    promotions, errors = histories(POINT).T
    assert promotions.mean() > 2
    assert errors.mean() == pytest.approx(2.06, abs=0.1)
