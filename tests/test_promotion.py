"""Who becomes champion: a table of decisions, each on figures that can be checked by eye."""

import math

import pytest

from reidops.promotion import Bench, Rule, TrackingResult, decide_promotion, paired_differences

BENCH = Bench({"05": "1-150:aa:bb", "06": "1-150:cc:dd"}, {"max_age": 30})


def scored(version: str, combined: float, *, control: float = 0.5, bench: Bench = BENCH, spread: float = 0.1) -> TrackingResult:
    """Return a result whose two sequences lie `spread` above and below the combined IDF1."""
    appearance = {"combined": {"IDF1": combined, "HOTA": 0.4}, "05": {"IDF1": combined + spread}, "06": {"IDF1": combined - spread}}
    return TrackingResult(version, bench, appearance, {"combined": {"IDF1": control, "HOTA": 0.45}})


@pytest.mark.parametrize(
    ("challenger", "champion", "rule", "wins", "says"),
    [
        (scored("1", 0.7), None, Rule(), True, "there was no champion"),
        (scored("1", 0.5), None, Rule(), False, "does not help the tracker"),
        (scored("1", 0.4), None, Rule(require_gain=False), True, "there was no champion"),
        (scored("2", 0.7), scored("1", 0.6), Rule(), True, "beats the champion's (version 1) 0.6000: +0.1000"),
        (scored("2", 0.6), scored("1", 0.7), Rule(), False, "does not beat the champion's (version 1) 0.7000: -0.1000"),
        (scored("2", 0.7), scored("1", 0.7), Rule(), False, "does not beat"),
        (scored("2", 0.72), scored("1", 0.7), Rule(min_margin=0.05), False, "by the 0.05 asked for"),
        (scored("2", 0.76), scored("1", 0.7), Rule(min_margin=0.05), True, "beats"),
        (scored("2", 0.8, control=0.85), scored("1", 0.7), Rule(), False, "IDF1 0.8000 with appearance, 0.8500 without"),
        (scored("1", 0.6), scored("1", 0.6), Rule(), True, "is the champion already"),
        (scored("2", 0.7), scored("1", 0.6), Rule(score="HOTA"), False, "HOTA 0.4000 with appearance, 0.4500 without"),
        (scored("2", math.nan), None, Rule(), False, "no combined IDF1"),
        (scored("2", 0.7), scored("1", math.nan), Rule(), False, "version 1, the champion, has no combined IDF1"),
    ],
)
def test_the_decision_and_its_reason(challenger, champion, rule, wins, says):
    decision = decide_promotion(challenger, champion, rule)
    assert decision.champion is wins
    assert says in decision.reason


def test_a_challenger_on_other_sequences_never_replaces_the_champion():
    other = Bench({"05": "1-150:aa:bb", "09": "1-150:cc:dd"}, {"max_age": 30})
    decision = decide_promotion(scored("2", 0.9, bench=other), scored("1", 0.6), Rule())
    assert not decision.champion
    assert "scored on 05, 09, the champion on 05, 06" in decision.reason
    assert decision.champion_score is None


def test_the_same_name_over_other_frames_or_files_is_another_sequence():
    other = Bench({"05": "1-150:aa:bb", "06": "76-150:cc:dd"}, {"max_age": 30})
    decision = decide_promotion(scored("2", 0.9, bench=other), scored("1", 0.6), Rule())
    assert not decision.champion
    assert "other frames or files: 06" in decision.reason


def test_other_tracker_settings_are_named():
    other = Bench(BENCH.sequences, {"max_age": 60})
    decision = decide_promotion(scored("2", 0.9, bench=other), scored("1", 0.6), Rule())
    assert not decision.champion
    assert "max_age 60 against 30" in decision.reason


def test_without_a_control_arm_no_gain_is_proven():
    challenger = TrackingResult("1", BENCH, {"combined": {"IDF1": 0.7}}, {})
    assert not decide_promotion(challenger, None, Rule()).champion
    assert decide_promotion(challenger, None, Rule(require_gain=False)).champion


def test_differences_are_paired_by_sequence():
    pairs = paired_differences(scored("2", 0.7, spread=0.2), scored("1", 0.6, spread=0.1), "IDF1")
    assert pairs == pytest.approx({"05": 0.9 - 0.7, "06": 0.5 - 0.5})


def test_the_reason_counts_the_sequences_that_became_better():
    decision = decide_promotion(scored("2", 0.7, spread=0.2), scored("1", 0.6, spread=0.0), Rule())
    assert "over the same 2 sequences, better on 1 (05 +0.3000, 06 -0.1000)" in decision.reason


def test_a_bench_is_told_by_its_content_not_by_its_order():
    turned = Bench(dict(reversed(BENCH.sequences.items())), dict(BENCH.tracker))
    assert turned.digest == BENCH.digest
    assert Bench(BENCH.sequences, {"max_age": 31}).digest != BENCH.digest


def test_the_reason_ends_with_what_appearance_adds_and_how_sure_that_is():
    plain = scored("1", 0.6)
    sure = TrackingResult("1", BENCH, plain.appearance, plain.no_appearance, {"IDF1": (0.0412, 0.1631)})
    assert decide_promotion(sure, None, Rule()).reason.endswith("; appearance adds +0.1000 [+0.0412, +0.1631] to this tracker's IDF1")
    assert decide_promotion(plain, None, Rule()).reason.endswith("; appearance adds +0.1000 to this tracker's IDF1")
    unsure = TrackingResult("1", BENCH, plain.appearance, plain.no_appearance, {"IDF1": (-0.02, 0.2)})
    assert decide_promotion(unsure, None, Rule()).champion  # the interval is told; the rule is register.min_margin


@pytest.mark.parametrize(("require_gain", "wins", "says"), [(True, False, "the tracker looks at no embedding"), (False, True, "there was no champion")])
def test_behind_a_tracker_without_appearance_no_gain_can_be_shown(require_gain, wins, says):
    arm = {"combined": {"IDF1": 0.7}}
    decision = decide_promotion(TrackingResult("1", BENCH, arm, arm, uses_appearance=False), None, Rule(require_gain=require_gain))
    assert decision.champion is wins
    assert says in decision.reason and "adds" not in decision.reason
