"""The figures that TrackEval and motmetrics publish for given result files, to the last digit."""

import json
from dataclasses import fields
from pathlib import Path

import motmetrics
import numpy as np
import pytest

from reidops.mot.sequences import read_annotations, read_results, read_sequence
from reidops.tracking.evaluation.events import Counts, accumulate, combine_counts, count_events, motmetrics_scores
from reidops.tracking.evaluation.scoring import Comparison, combine_results, compare, official_results, rules_of

LIF_T = ("MOT17-02-FRCNN", "MOT17-05-FRCNN", "MOT17-10-FRCNN", "MOT17-13-FRCNN")
TUD = ("TUD-Campus", "TUD-Stadtmitte")


def lif_t_comparison(folder: Path, name: str) -> Comparison:
    sequence = read_sequence(folder / "MOT17" / name)
    tracks = read_results(folder / "Lif_T" / f"{name}.txt")
    return compare(read_annotations(sequence), tracks, range(1, sequence.length + 1), rules_of("MOT17"))


def tud_comparison(folder: Path, name: str) -> Comparison:
    truth = read_results(folder / name / "gt.txt").assign(considered=True, class_id=1)
    tracks = read_results(folder / name / "test.txt")
    return compare(truth, tracks, range(1, int(truth["frame"].max()) + 1), rules_of("MOT15"))


def differences(results: dict, expected: dict) -> dict:
    """Return what differs, name: (ours, expected); fractions are compared as percentages of three digits."""
    merged = {**results["CLEAR"], **results["Identity"], **results["HOTA"]}
    ours = {name: np.mean(merged[name]) * (1 if isinstance(value, int) else 100) for name, value in expected.items()}
    return {
        name: (ours[name], value) for name, value in expected.items() if round(float(ours[name]), 3) != round(value, 3)
    }


@pytest.fixture(scope="module")
def tracking_results(real_data):
    return real_data / "tracking-results"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == LIF_T[1] else pytest.mark.slow) for name in LIF_T]
)
def test_lif_t_scores_as_trackeval_publishes(tracking_results, name):
    expected = json.loads((tracking_results / "Lif_T" / "expected.json").read_text())
    assert differences(official_results(lif_t_comparison(tracking_results, name)), expected[name]) == {}


def test_tud_scores_as_trackeval_publishes_also_combined(tracking_results):
    expected = json.loads((tracking_results / "TUD-expected.json").read_text())["test"]
    results = {name: official_results(tud_comparison(tracking_results, name)) for name in TUD}
    results["COMBINED_SEQ"] = combine_results(results)
    assert {name: differences(results[name], expected[name]) for name in expected} == {name: {} for name in expected}


def test_tud_scores_as_motmetrics_publishes(tracking_results):
    comparisons = [tud_comparison(tracking_results, name) for name in TUD]
    counts = combine_counts(count_events(accumulate(comparison)) for comparison in comparisons)
    scores = motmetrics_scores(counts, official_results(comparisons[0]))
    assert (round(scores.MOTA, 4), round(scores.IDF1, 4)) == (0.5551, 0.6243)


@pytest.mark.parametrize("name", LIF_T[1:2] + TUD)
def test_what_is_counted_from_motmetrics_record_is_what_motmetrics_counts(tracking_results, name):
    comparison = tud_comparison(tracking_results, name) if name in TUD else lif_t_comparison(tracking_results, name)
    record = accumulate(comparison)
    wanted = [f.name for f in fields(Counts) if f.name != "distance"]
    theirs = motmetrics.metrics.create().compute(record, metrics=[*wanted, "motp"], return_dataframe=False)
    counts = count_events(record)
    assert {n: getattr(counts, n) for n in wanted} == {n: theirs[n] for n in wanted}
    assert counts.distance / counts.num_detections == pytest.approx(theirs["motp"], abs=1e-12)
