"""Measure the coverage of the confidence intervals: `python benchmarks/intervals.py` prints two tables.

python benchmarks/intervals.py [--data FOLDER] [--models 16] [--streets 11 12 …] [--only null coverage] [--quick]

- null: equivalent models (oracle vectors with independent noise of the same size) track synthetic streets and, with
  --data, MOT17-09. A 95 % interval of the difference of two such models should exclude 0 in about 5 % of all pairs.
  `before` is the bootstrap of earlier versions: identities assigned on the whole sequence, percentiles of 1,000 draws.
  `over windows` uses windows as units of every score. Pairs share their models, so the rates of one set of streets
  scatter widely; each seed in `--streets` draws other streets and other models, and gives a rate of its own.
- coverage: how often the interval of a mean contains the true mean, by number of units, for independent units and for a
  series with an autocorrelation of .3.

All data are generated from seeds. --quick uses little data to check that the script runs.
"""

import argparse
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from reidops.boxes.embeddings import EmbeddedDetections
from reidops.boxes.identities import people_of_boxes
from reidops.mot.boxes import ltwh_to_ltrb, unsuppressed
from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import write_synthetic
from reidops.tracking.constants import constants_of
from reidops.tracking.evaluation.arm_names import ORACLE
from reidops.tracking.evaluation.arms import with_arm_embeddings
from reidops.tracking.evaluation.bootstrap import Interval, LeaveOneOut, best_intervals, margin, over_windows
from reidops.tracking.evaluation.counts import on_own_track
from reidops.tracking.evaluation.overlaps import Comparison
from reidops.tracking.evaluation.scoring import compare, rules_of
from reidops.tracking.evaluation.windows import NUM_COUNTS, FrameTables, window_scores
from reidops.tracking.trackers import new_tracker, track_sequence

SCORES = ("IDF1", "HOTA", "AssA", "MOTA")
TRACKERS = {"deepsort": {"max_age": 60, "motion_weight": 0.1}, "strongsort": {}}
NMS = 0.7


@dataclass(frozen=True)
class Case:
    """Tracked sequences, their frames, and the noise of the models as a multiple of the length of a person's vector."""

    name: str
    folders: tuple[Path, ...]
    frames: range
    window: int
    noise: float


@dataclass(frozen=True)
class Tracked:
    """The contribution of one sequence to a model's scores: current tables, and counts of windows as before."""

    tables: LeaveOneOut
    before: np.ndarray  # [num_windows, NUM_COUNTS]


def cases(drawn: Path, data: Path | None, quick: bool) -> Iterator[tuple[Case, str]]:
    """Yield the cases of the null experiment, each with a tracker."""
    streets = tuple(sorted((drawn / "train").glob("SYN-*-FRCNN")))
    frames = range(1, 61) if quick else range(1, 151)
    found = [Case(f"{len(streets)} drawn streets", streets, frames, 10 if quick else 30, 2.0)]
    if not quick:
        found.append(Case("2 drawn streets", streets[-2:], frames, 30, 2.0))
    mot17_09 = data and data / "MOT17" / "train" / "MOT17-09-FRCNN"
    if mot17_09 and mot17_09.is_dir() and not quick:
        found.append(Case("MOT17-09, second half", (mot17_09,), range(133, 263), 13, 1.2))
    return ((case, tracker) for case in found for tracker in TRACKERS)


def track_models(case: Case, tracker: str, models: range) -> list[list[Tracked]]:
    """Return the contributions to the scores, [sequence][model]. A model's number is the seed of its noise."""
    return [[_track(folder, case, tracker, seed) for seed in models] for folder in case.folders]


def _track(folder: Path, case: Case, tracker: str, seed: int) -> Tracked:
    detected, annotations = _read(folder, case.frames)
    people = people_of_boxes(detected.frame, detected.box_ltwh, annotations, among="all")
    oracle = with_arm_embeddings(ORACLE, detected, people, folder.name)
    noise = np.random.default_rng([seed, zlib.crc32(folder.name.encode())]).standard_normal(oracle.embeddings.shape)
    vectors = oracle.embeddings + case.noise * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    model = replace(oracle, embeddings=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    gate = 1 - 0.5 / (1 + case.noise**2)  # half way between the distances of one person and of two
    tracks = track_sequence(new_tracker(tracker, gate, constants_of(tracker, TRACKERS[tracker])), model, case.frames)
    comparison = compare(annotations, tracks, case.frames, rules_of("MOT17"))
    tables = FrameTables.of(comparison)
    return Tracked(LeaveOneOut.of(tables, case.window), fixed_counts(comparison, tables, case.window))


def _read(folder: Path, frames: range) -> tuple[EmbeddedDetections, pd.DataFrame]:
    """Return a sequence's detections after non-maximum suppression, without embeddings, and its annotations."""
    sequence = read_sequence(folder)
    rows, annotations = (
        table[table["frame"].isin(frames)] for table in (read_detections(sequence), read_annotations(sequence))
    )
    box_ltwh = rows[["left", "top", "width", "height"]].to_numpy(np.float32)
    detected = EmbeddedDetections(
        rows["frame"].to_numpy(np.int32),
        box_ltwh,
        rows["confidence"].to_numpy(np.float32),
        np.zeros((len(rows), 1)),
        "",
    )
    kept = [
        np.array(of_frame)[unsuppressed(ltwh_to_ltrb(box_ltwh[of_frame]), detected.confidence[of_frame], NMS)]
        for of_frame in detected.rows_by_frame().values()
    ]
    return detected.keep(np.concatenate(kept)), annotations


def fixed_counts(comparison: Comparison, tables: FrameTables, length: int) -> np.ndarray:
    """Return the counts of windows as before, [num_windows, NUM_COUNTS], with identities of the whole sequence."""
    windows, pairs, num_thresholds = tables.windows(length), comparison.overlaps, (NUM_COUNTS - 6) // 2
    counts = np.zeros((len(windows), NUM_COUNTS))
    counts[:, 0], counts[:, 1], counts[:, 3:6] = windows.people.sum(axis=1), windows.tracks.sum(axis=1), windows.errors
    own = np.bincount(pairs.frame[on_own_track(pairs)], minlength=len(tables))
    counts[:, 2] = [part.sum() for part in np.array_split(own, len(windows))]
    boxes = (windows.people.sum(axis=0)[windows.couples[:, 0]] + windows.tracks.sum(axis=0)[windows.couples[:, 1]])[
        :, None
    ]
    together = windows.matches.sum(axis=0)
    counts[:, 6 : 6 + num_thresholds] = windows.matches.sum(axis=1)
    counts[:, 6 + num_thresholds :] = (windows.matches * (together / np.maximum(1, boxes - together))).sum(axis=1)
    return counts


def null_rates(drawn: Path, data: Path | None, models: range, quick: bool) -> pd.DataFrame:
    """Return the percentage of pairs of equivalent models whose interval excludes 0, one row per case and method."""
    rows = []
    for case, tracker in cases(drawn, data, quick):
        sequences = track_models(case, tracker, models)
        pairs = list(combinations(range(len(models)), 2))
        for way, excludes in (
            ("before", excluded_before),
            ("over windows", excluded_over_windows),
            ("now", excluded_now),
        ):
            found = np.array([excludes([(of[a], of[b]) for of in sequences]) for a, b in pairs])
            shares = dict(zip(SCORES, 100 * found.mean(axis=0), strict=True))
            rows.append({"tracked": case.name, "tracker": tracker, "way": way, **shares})
    return pd.DataFrame(rows)


def mean_rates(draws: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the mean of the draws per case and method, with its standard error, and the mean of the cases."""
    keys, scores = ["tracked", "tracker", "way"], list(SCORES)
    rates = pd.concat(draws)
    of_all = rates.assign(draw=np.repeat(range(len(draws)), [len(draw) for draw in draws])).groupby(["draw", "way"])
    of_all = of_all[scores].mean().reset_index().assign(tracked="mean of the cases", tracker="")
    of_cases = pd.concat([rates, of_all[rates.columns]]).groupby(keys, sort=False)[scores]
    means, errors = of_cases.mean(), of_cases.sem()
    shown = means.map("{:.1f}".format)
    if len(draws) > 1:
        shown += errors.map(" ± {:.1f}".format)
    return shown.reset_index()


def excluded_now(pairs: list[tuple[Tracked, Tracked]]) -> list[bool]:
    """Return, for each score, whether the reported interval of the difference of two models excludes 0."""
    return _excluded(best_intervals([a.tables for a, _ in pairs], [b.tables for _, b in pairs]))


def excluded_over_windows(pairs: list[tuple[Tracked, Tracked]]) -> list[bool]:
    """Return the same for the interval over windows."""
    return _excluded(over_windows([a.tables for a, _ in pairs], [b.tables for _, b in pairs]))


def _excluded(intervals: dict[str, Interval | None]) -> list[bool]:
    return [bool(intervals[name].low > 0 or intervals[name].high < 0) for name in SCORES]


def excluded_before(pairs: list[tuple[Tracked, Tracked]]) -> list[bool]:
    """Return the same for percentiles of a bootstrap over windows with identities of the whole sequence."""
    rng, sums = np.random.default_rng(0), [0.0, 0.0]
    for pair in pairs:
        num = len(pair[0].before)
        weights = rng.multinomial(num, np.full(num, 1 / num), size=1000).astype(float)
        sums = [total + weights @ model.before for total, model in zip(sums, pair, strict=True)]
    ours, theirs = (window_scores(side) for side in sums)
    bounds = [np.quantile(ours[name] - theirs[name], [0.025, 0.975]) for name in SCORES]
    return [bool(low > 0 or high < 0) for low, high in bounds]


def coverage_table(num_series: int) -> pd.DataFrame:
    """Return how often the interval of a mean contains the true mean, in percent, by number of units."""
    rng, rows = np.random.default_rng(0), []
    for num_units in (2, 3, 4, 5, 7, 10, 20, 50):
        row: dict[str, float] = {"units": num_units}
        for correlation in (0.0, 0.3):
            values = draw_series(rng, num_series, num_units, correlation)
            influences, plain = values - values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(num_units)
            ways = {
                "percentile": 1.96 * plain * np.sqrt(1 - 1 / num_units),
                "Student's t": student.ppf(0.975, num_units - 1) * plain,
                "now": margin(influences, int(num_units ** (2 / 3))) if num_units >= 5 else None,
            }
            for way, half in ways.items():
                covered = np.nan if half is None else 100 * (np.abs(values.mean(axis=0)) < half).mean()
                row[f"{way}, autocorrelation {correlation}"] = covered
        rows.append(row)
    return pd.DataFrame(rows)


def draw_series(rng: np.random.Generator, num_series: int, num_units: int, correlation: float) -> np.ndarray:
    """Return stationary autoregressive series of mean 0 with this autocorrelation, [num_units, num_series]."""
    series = rng.standard_normal((num_units, num_series))
    series[0] /= np.sqrt(1 - correlation**2)
    for place in range(1, num_units):
        series[place] += correlation * series[place - 1]
    return series


def format_table(table: pd.DataFrame) -> str:
    """Return a table as Markdown, with one decimal and a dash for missing values."""
    cells = [
        [f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in table.astype(object).to_numpy().tolist()
    ]
    lines = [list(table.columns), ["---"] * table.shape[1], *cells]
    return (
        "\n".join(f"| {' | '.join(line)} |" for line in lines)
        .replace("| nan |", "| none |")
        .replace("| nan |", "| none |")
    )


def draw_rates(arguments: argparse.Namespace) -> Iterator[pd.DataFrame]:
    """Yield the table of each seed of drawn streets; each draw has models of its own."""
    quick, num_models = arguments.quick, 3 if arguments.quick else arguments.models
    for draw, seed in enumerate(arguments.streets):
        with tempfile.TemporaryDirectory() as folder:
            streets = Path(folder) / "streets"
            params = SyntheticParams(seed=seed, scenes=1 if quick else 6, frames=60 if quick else 150)
            write_synthetic(streets, params)
            models = range(draw * num_models, (draw + 1) * num_models)
            yield null_rates(streets, arguments.data, models, quick)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("null", "coverage"), default=("null", "coverage"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=int, default=16)
    parser.add_argument("--streets", nargs="+", type=int, default=[11], metavar="SEED", help="seeds of drawn streets")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if "null" in arguments.only:
        print("pairs of equal models whose 95 % interval excludes 0, %; ± the standard error over the draws\n")
        print(format_table(mean_rates(list(draw_rates(arguments)))), flush=True)
    if "coverage" in arguments.only:
        print("\nintervals of a mean that contain the truth, %\n")
        print(format_table(coverage_table(200 if arguments.quick else 20_000)))


if __name__ == "__main__":
    main()
