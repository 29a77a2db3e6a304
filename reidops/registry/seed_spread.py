"""Measure the spread of scores over trainings of one recipe that differ only in their seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from reidops.files import read_json
from reidops.registry.comparison import SCORES
from reidops.skipped import skipped_reason
from reidops.tracking.evaluation.tracking_report import TrackingReport


def read_figures(reid: Path, tracking: Path) -> dict[str, float]:
    """Return the mAP of each test set and the combined tracking scores of the arm `appearance`, by flat names."""
    sets = read_json(reid / "metrics.json")
    report = None if skipped_reason(tracking) else TrackingReport.read(tracking)
    rows = {name: scores["mAP"] for name, scores in sets.items() if isinstance(scores, Mapping) and "mAP" in scores}
    combined = report.combined(report.reported_arm) if report else {}
    of_sets = {f"reid/{name}/mAP": value for name, value in rows.items() if name != "colour_histogram"}
    return of_sets | {f"tracking/{score}": combined[score] for score in SCORES if combined}


def describe_spread(seeds: Sequence[int], figures: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the content of spread.json: the seeds and, for each score, its values, mean and standard deviation."""
    values = {name: [of_seed[name] for of_seed in figures] for name in figures[0]}
    rows = {
        name: {"values": row, "mean": fmean(row), "std": stdev(row) if len(row) > 1 else None}
        for name, row in values.items()
    }
    return {"num": len(seeds), "seeds": list(seeds), "figures": rows}
