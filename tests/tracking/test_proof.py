"""Headroom, differences with their intervals, and what is printed of them."""

import numpy as np
import pytest
from scipy.stats import norm

from reidops.tracking.bootstrap import over_sequences, over_windows
from reidops.tracking.decided import Decided
from reidops.tracking.evaluation import ArmResult, score_table, score_tree
from reidops.tracking.events import Counts
from reidops.tracking.proof import Draws, headroom, prove
from reidops.tracking.report import format_proof
from reidops.tracking.windows import NUM_COUNTS, WINDOW_SCORES

IDTP = 2


def windows(idtp: list[float], size: float = 100) -> np.ndarray:
    """Return windows of `size` boxes of truth and of tracks each, so many of them on their person's own track."""
    counts = np.zeros((len(idtp), NUM_COUNTS))
    counts[:, :2], counts[:, IDTP] = size, idtp
    return counts


def test_an_interval_over_windows_is_that_of_the_mean_of_paired_differences():
    rng = np.random.default_rng(0)
    hard = rng.uniform(0, 60, 80)  # how hard a window is, for both arms alike
    gain = rng.normal(6, 4, 80)
    interval = over_windows([windows(hard + gain)], [windows(hard)], resamples=4000, seed=0)["IDF1"]
    expected = gain.mean() / 100 + norm.ppf([0.025, 0.975]) * gain.std() / 100 / np.sqrt(80)
    assert [interval.low, interval.high] == pytest.approx(expected, abs=0.0008)


def test_a_plain_loop_draws_the_same_interval():
    rng = np.random.default_rng(1)
    ours, theirs = [rng.uniform(40, 90, n) for n in (7, 12)], [rng.uniform(30, 80, n) for n in (7, 12)]
    interval = over_windows([windows(w) for w in ours], [windows(w) for w in theirs], resamples=3000, seed=0)["IDF1"]
    drawn = []
    for _ in range(3000):
        rows = [rng.integers(0, len(side), len(side)) for side in ours]
        num = 100 * sum(map(len, rows))
        drawn.append(sum((a[r] - b[r]).sum() for a, b, r in zip(ours, theirs, rows, strict=True)) / num)
    assert [interval.low, interval.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.006)


def test_arms_that_are_equal_differ_by_nothing_and_a_seed_settles_the_draw():
    side, other = ([windows(np.random.default_rng(seed).uniform(0, 100, 20))] for seed in (0, 1))
    equal = over_windows(side, side, resamples=50, seed=0)
    assert all((equal[name].low, equal[name].high) == (0, 0) for name in WINDOW_SCORES)
    assert over_windows(side, other, resamples=50, seed=3) == over_windows(side, other, resamples=50, seed=3)
    assert over_windows(side, other, resamples=50, seed=3) != over_windows(side, other, resamples=50, seed=4)


def test_over_sequences_whole_sequences_are_drawn():
    ours, theirs = [windows([90, 90]), windows([50, 50])], [windows([40, 40]), windows([50, 50])]
    interval = over_sequences(ours, theirs, resamples=1000, seed=0)["IDF1"]
    assert (interval.low, interval.high) == (0, 0.5)  # one of four draws holds one sequence twice
    assert over_sequences(ours[:1], theirs[:1], resamples=10, seed=0) is None


def test_headroom_is_the_share_of_the_oracles_gain():
    arms = {"no_appearance": {"IDF1": 0.5}, "appearance": {"IDF1": 0.6}, "oracle": {"IDF1": 0.9}}
    assert headroom(arms, "IDF1")["share"] == pytest.approx(0.25)
    worse = headroom(arms | {"oracle": {"IDF1": 0.5}}, "IDF1")
    assert worse["share"] is None and "oracle's IDF1 0.500 is not above 0.500" in worse["reason"]
    assert headroom(arms | {"appearance": {"IDF1": 0.4}}, "IDF1")["share"] == pytest.approx(-0.25)


def arm_result(arm: str, sequence: str, idtp: list[float]) -> ArmResult:
    """Return an arm's result with the given IDTP in each of some frames of 100 people."""
    counts = windows(idtp)
    total, boxes = int(sum(idtp)), 100 * len(idtp)
    events = Counts(num_objects=boxes, num_detections=boxes, idtp=total, idfp=boxes - total, idfn=boxes - total)
    zeros = np.zeros(19)
    hota = {name: zeros for name in ("HOTA_TP", "HOTA_FN", "HOTA_FP", "HOTA", "DetA", "AssA", "AssRe", "AssPr", "LocA")}
    clear = dict.fromkeys(("CLR_TP", "CLR_FN", "CLR_FP", "IDSW", "MT", "PT", "ML", "Frag", "CLR_Frames", "MOTP_sum", "MOTA", "MOTP"), 0)
    results = {"CLEAR": clear, "Identity": {"IDTP": total, "IDFN": boxes - total, "IDFP": boxes - total, "IDF1": total / boxes}, "HOTA": hota}
    return ArmResult(arm, sequence, None, None, events, results, counts, None, Decided(10, 3, 1))


@pytest.fixture(scope="module")
def proof():
    level = {"no_appearance": 50, "random": 30, "appearance": 60, "oracle": 90}
    arms = [arm_result(arm, name, [idtp + 5 * (i % 3) for i in range(60)]) for name in ("A", "B") for arm, idtp in level.items()]
    return prove(arms, score_tree(score_table(arms)), Draws(window=10, resamples=200))


def test_the_proof_holds_arms_headroom_and_differences_with_intervals(proof):
    assert proof["arms"]["appearance"]["IDF1"] == pytest.approx(0.65)
    assert proof["headroom"]["IDF1"]["share"] == pytest.approx(0.25)
    gain = proof["differences"]["appearance"]
    assert set(gain) == {"A", "B", "combined"} and set(proof["differences"]) == {"random", "appearance", "oracle"}
    assert gain["combined"]["IDF1"]["difference"] == pytest.approx(0.1)
    assert gain["combined"]["IDF1"]["over_windows"] == pytest.approx([0.1, 0.1])
    assert gain["A"]["IDF1"]["over_sequences"] is None and gain["combined"]["IDF1"]["over_sequences"] == pytest.approx([0.1, 0.1])
    assert proof["decided"]["combined"] == {"pairs": 20, "decided": 6, "share": 0.3, "reordered": 2}
    assert (proof["bootstrap"]["num_windows"], proof["bootstrap"]["num_sequences"]) == (12, 2)


def test_the_table_shows_each_arm_and_what_the_model_adds(proof):
    lines = format_proof(proof).splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["no_appearance", "random", "appearance", "oracle"]
    assert lines[5] == "IDF1: appearance adds +0.100 [+0.100, +0.100], 25% of what the oracle adds"
    assert "there is nothing to gain here" in lines[6]  # HOTA is 0 in every arm of this case
    assert lines[7] == "in brackets: 95% of 200 draws of 12 windows of about 10 frames"
    assert lines[8] == "appearance decided 6 of 20 associations, 30.0%; in 2 it preferred another track than the control"
    assert len(lines) == 9 and format_proof(proof | {"say": "All arms give the same tracks."}).splitlines()[9:] == ["All arms give the same tracks."]


def test_copies_of_a_video_for_several_detectors_are_drawn_together_and_tell_no_more_than_one():
    rng = np.random.default_rng(0)
    idtp = {arm: rng.uniform(20, 90, 60) for arm in ("no_appearance", "random", "appearance", "oracle")}

    def gain(*names: str) -> dict:
        arms = [arm_result(arm, name, values) for name in names for arm, values in idtp.items()]
        return prove(arms, score_tree(score_table(arms)), Draws(window=10, resamples=300))

    once, copies = gain("MOT17-02-DPM"), gain("MOT17-02-DPM", "MOT17-02-FRCNN", "MOT17-02-SDP")
    for arm, of_scores in once["differences"].items():
        assert copies["differences"][arm]["combined"]["IDF1"]["over_windows"] == pytest.approx(of_scores["combined"]["IDF1"]["over_windows"])
        assert copies["differences"][arm]["combined"]["IDF1"]["over_sequences"] is None
    assert copies["bootstrap"] == once["bootstrap"]
    two = gain("MOT17-02-DPM", "MOT17-04-DPM")
    assert (two["bootstrap"]["num_sequences"], two["bootstrap"]["num_windows"]) == (2, 12)


def test_a_tracker_without_appearance_proves_nothing_and_says_so():
    arms = [arm_result("no_appearance", "A", [50] * 10)]
    proof = prove(arms, score_tree(score_table(arms)))
    assert not proof["uses_appearance"] and "no model can help it" in format_proof(proof)
    assert set(proof["arms"]) == {"no_appearance"}
