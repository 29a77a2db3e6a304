"""Headroom, differences with their intervals, and what is printed of them."""

import numpy as np
import pytest
from scipy.stats import t as student

from reidops.tracking.evaluation.arm_results import ArmResult, score_table, score_tree
from reidops.tracking.evaluation.bootstrap import LeaveOneOut, margin, over_sequences, over_windows
from reidops.tracking.evaluation.decided import Decided
from reidops.tracking.evaluation.events import Counts
from reidops.tracking.evaluation.proof import headroom, prove
from reidops.tracking.evaluation.report import format_report
from reidops.tracking.evaluation.tracking_report import TrackingReport
from reidops.tracking.evaluation.windows import WINDOW_SCORES, FrameTables


def tables(idtp: list[int], size: int = 100) -> FrameTables:
    """Return frames of `size` people and tracks each, so many of them on their person's own track."""
    frame, person = (part.ravel() for part in np.indices((len(idtp), size)))
    hit = person < np.array(idtp)[frame]
    boxes, ids = np.column_stack([frame, person]), np.arange(size)
    return FrameTables(
        errors=np.column_stack([size - np.array(idtp), np.zeros((len(idtp), 2), int)]),
        people=boxes,
        tracks=boxes,
        couples=np.column_stack([ids, ids]),
        overlaps=boxes[hit],
        matches=np.column_stack([boxes[hit], np.zeros(hit.sum(), int)]),
    )


def counted(idtp: list[int]) -> LeaveOneOut:
    """Return the counts of windows of one frame."""
    return LeaveOneOut.of(tables(idtp), 1)


def bounds(interval) -> list[float]:
    return [interval.low, interval.high]


def test_of_a_mean_of_independent_units_the_interval_is_student_s():
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(40, 90, 9), rng.integers(30, 80, 9)
    interval = over_sequences([counted([n]) for n in ours], [counted([n]) for n in theirs])["IDF1"]
    gain = (ours - theirs) / 100
    expected = gain.mean() + student.ppf([0.025, 0.975], 8) * gain.std(ddof=1) / 3
    assert bounds(interval) == pytest.approx(expected, abs=1e-12) and interval.units == 9


def test_an_interval_over_windows_is_that_of_their_series_of_gains():
    rng = np.random.default_rng(1)
    ours, theirs = rng.integers(40, 90, 12), rng.integers(30, 80, 12)
    intervals = over_windows([counted(ours[:5]), counted(ours[5:])], [counted(theirs[:5]), counted(theirs[5:])])
    gain = (ours - theirs) / 100
    for name, num_projections in (("IDF1", 11), ("MOTA", 5)):  # 5 = ⌊12^(2/3)⌋
        half = margin(gain - gain.mean(), num_projections)
        assert (
            bounds(intervals[name]) == pytest.approx([gain.mean() - half, gain.mean() + half], abs=1e-12)
            and intervals[name].units == 12
        )


def test_arms_that_are_equal_differ_by_nothing():
    side = [counted(np.random.default_rng(0).integers(0, 100, 20))]
    assert {tuple(bounds(interval)) for interval in over_windows(side, side).values()} == {(0, 0)}


def test_below_five_units_there_is_no_interval():
    ours, theirs = counted([60, 70, 80, 90]), counted([50, 50, 60, 60])
    assert over_windows([ours], [theirs]) == dict.fromkeys(WINDOW_SCORES)
    assert over_sequences([ours] * 4, [theirs] * 4) == dict.fromkeys(WINDOW_SCORES)
    assert over_windows([counted([60, 70, 80, 90, 90])], [counted([50, 50, 60, 60, 70])])["IDF1"].units == 5


@pytest.mark.parametrize(
    ("num_units", "correlation", "least"),
    [(5, 0, 0.94), (10, 0, 0.94), (20, 0, 0.94), (5, 0.3, 0.91), (10, 0.3, 0.9), (20, 0.3, 0.91)],
)
def test_the_interval_covers_the_truth_with_few_units(num_units, correlation, least):
    rng, num_projections = np.random.default_rng(2), int(num_units ** (2 / 3))
    series = np.zeros((num_units + 20, 8000))
    for place in range(1, len(series)):
        series[place] = correlation * series[place - 1] + rng.standard_normal(8000)
    values = series[20:]
    covered = np.abs(values.mean(axis=0)) < margin(values - values.mean(axis=0), num_projections)
    assert least < covered.mean() < 0.96


def test_headroom_is_the_share_of_the_oracles_gain_over_the_better_control():
    arms = {
        "no_appearance": {"IDF1": 0.5},
        "random": {"IDF1": 0.4},
        "appearance": {"IDF1": 0.6},
        "oracle": {"IDF1": 0.9},
    }
    assert headroom(arms, "IDF1") == {"share": pytest.approx(0.25), "control": "no_appearance"}
    assert headroom(arms | {"random": {"IDF1": 0.55}}, "IDF1") == {"share": pytest.approx(1 / 7), "control": "random"}
    worse = headroom(arms | {"oracle": {"IDF1": 0.5}}, "IDF1")
    assert worse["share"] is None and "oracle's IDF1 0.500 is not above 0.500 without appearance" in worse["reason"]
    assert headroom(arms | {"appearance": {"IDF1": 0.4}}, "IDF1")["share"] == pytest.approx(-0.25)


def arm_result(arm: str, sequence: str, idtp: list[int]) -> ArmResult:
    """Return an arm's result with the given IDTP in each of some frames of 100 people."""
    total, boxes = int(sum(idtp)), 100 * len(idtp)
    events = Counts(num_objects=boxes, num_detections=boxes, idtp=total, idfp=boxes - total, idfn=boxes - total)
    zeros = np.zeros(19)
    hota = {name: zeros for name in ("HOTA_TP", "HOTA_FN", "HOTA_FP", "HOTA", "DetA", "AssA", "AssRe", "AssPr", "LocA")}
    clear = dict.fromkeys(
        ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW", "MT", "PT", "ML", "Frag", "CLR_Frames", "MOTP_sum", "MOTA", "MOTP"), 0
    )
    results = {
        "CLEAR": clear,
        "Identity": {"IDTP": total, "IDFN": boxes - total, "IDFP": boxes - total, "IDF1": total / boxes},
        "HOTA": hota,
    }
    return ArmResult(arm, sequence, None, None, events, results, tables(idtp), None, Decided(10, 3, 1))


@pytest.fixture(scope="module")
def proof():
    level = {"no_appearance": 50, "random": 30, "appearance": 60, "oracle": 90}
    arms = [
        arm_result(arm, name, [idtp + 5 * (i % 3) for i in range(60)])
        for name in ("A", "B")
        for arm, idtp in level.items()
    ]
    return prove(arms, score_tree(score_table(arms)), window=10)


def test_the_proof_holds_the_gain_over_both_controls_with_intervals_and_units(proof):
    assert proof["arms"]["appearance"]["IDF1"] == pytest.approx(0.65)
    assert proof["headroom"]["IDF1"] == {"share": pytest.approx(0.25), "control": "no_appearance"}
    gain = proof["differences"]["appearance"]
    assert set(gain) == set(proof["over_random"]) == {"A", "B", "combined"} and set(proof["differences"]) == {
        "random",
        "appearance",
        "oracle",
    }
    for row, difference in ((gain["combined"]["IDF1"], 0.1), (proof["over_random"]["combined"]["IDF1"], 0.3)):
        assert row["difference"] == pytest.approx(difference) and row["over_windows"] == pytest.approx(
            [difference, difference]
        )
        assert row["interval"] == pytest.approx([difference, difference], abs=0.15) and (
            row["unit"],
            row["num_units"],
        ) == ("people", 200)
        assert (row["num_windows"], row["over_sequences"], row["num_sequences"]) == (12, None, 2)
    assert gain["A"]["IDF1"]["num_windows"] == 6
    assert proof["decided"]["combined"] == {"pairs": 20, "decided": 6, "share": 0.3, "reordered": 2}
    assert (proof["bootstrap"]["num_windows"], proof["bootstrap"]["num_sequences"]) == (12, 2)


def lines_of(proof: dict) -> list[str]:
    scores = {arm: {"combined": row} for arm, row in proof["arms"].items()}
    return format_report(TrackingReport.of(scores, proof)).splitlines()


def test_the_table_shows_each_arm_and_the_gain_over_both_controls(proof):
    lines = lines_of(proof)
    assert [line.split()[0] for line in lines[1:5]] == ["no_appearance", "random", "appearance", "oracle"]
    assert (
        lines[5].startswith("IDF1: +0.100 [")
        and "; 200 people] over no appearance, +0.300 [" in lines[5]
        and lines[5].endswith("over random embeddings")
    )
    assert lines[6] == "IDF1: 25% of what the oracle adds to the tracker without appearance"
    assert "there is nothing to gain here" in lines[8]  # HOTA is 0 in every arm of this case
    assert lines[9] == "in brackets: 95% confidence intervals and their units"
    assert (
        lines[10] == "appearance decided 6 of 20 associations, 30.0%; in 2 it preferred another track than the control"
    )
    assert len(lines) == 11 and lines_of(proof | {"say": "All arms give the same tracks."})[11:] == [
        "All arms give the same tracks."
    ]


def test_copies_of_a_video_for_several_detectors_are_drawn_together_and_tell_no_more_than_one():
    rng = np.random.default_rng(0)
    idtp = {arm: rng.integers(20, 90, 60) for arm in ("no_appearance", "random", "appearance", "oracle")}

    def gain(*names: str) -> dict:
        arms = [arm_result(arm, name, values) for name in names for arm, values in idtp.items()]
        return prove(arms, score_tree(score_table(arms)), window=10)

    once, copies = gain("MOT17-02-DPM"), gain("MOT17-02-DPM", "MOT17-02-FRCNN", "MOT17-02-SDP")
    for arm, of_scores in once["differences"].items():
        assert copies["differences"][arm]["combined"]["IDF1"]["over_windows"] == pytest.approx(
            of_scores["combined"]["IDF1"]["over_windows"]
        )
        assert copies["differences"][arm]["combined"]["IDF1"]["over_sequences"] is None
    assert copies["bootstrap"] == once["bootstrap"]
    two = gain("MOT17-02-DPM", "MOT17-04-DPM")
    assert (two["bootstrap"]["num_sequences"], two["bootstrap"]["num_windows"]) == (2, 12)


def test_a_tracker_without_appearance_proves_nothing_and_says_so():
    arms = [arm_result("no_appearance", "A", [50] * 10)]
    proof = prove(arms, score_tree(score_table(arms)))
    assert not proof["uses_appearance"] and "no model can help it" in lines_of(proof)[-1]
    assert set(proof["arms"]) == {"no_appearance"}
