"""Measure CPU seconds of scoring sequences of MOT17's size, compared with TrackEval and motmetrics.

Our time includes all work of `evaluate_tracking` on the tables of a sequence: preprocessing, official scores, events
and the counts of motmetrics. `without motmetrics` leaves out the second scorer. TrackEval reads the same tables from
files and does its own preprocessing. motmetrics gets all boxes without preprocessing, and our distances, because its
own functions for both need NumPy 1.
"""

import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import motmetrics
import numpy as np
import pandas as pd
from drawn_tracks import MOT17, draw_annotations, draw_tracks
from measured import Measured
from trackeval import Evaluator
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.mot.sequences import read_annotations, read_results, read_sequence, write_results
from reidops.tracking.evaluation.events import accumulate, count_events, event_table
from reidops.tracking.evaluation.scoring import compare, official_results, rules_of

Cases = dict[str, tuple[pd.DataFrame, pd.DataFrame]]  # sequence → annotations, tracks
_BOX = ["left", "top", "width", "height"]
_METRICS = [
    "num_objects",
    "num_detections",
    "num_misses",
    "num_false_positives",
    "num_switches",
    "num_fragmentations",
    "mostly_tracked",
    "mostly_lost",
    "idtp",
    "idfp",
    "idfn",
    "motp",
]


def draw_cases(share: float) -> Cases:
    """Return seven sequences of MOT17's sizes, or a fraction of them."""
    rng = np.random.default_rng(0)
    truths = {f"MOT17-{scene}-FRCNN": draw_annotations(scene, rng, share) for scene in MOT17}
    return {name: (truth, draw_tracks(truth, rng)) for name, truth in truths.items()}


def read_cases(data: Path) -> Cases:
    """Return the available sequences with results of a published tracker."""
    folder = data / "tracking-results"
    results = sorted((folder / "Lif_T").glob("*.txt"))
    return {
        path.stem: (read_annotations(read_sequence(folder / "MOT17" / path.stem)), read_results(path))
        for path in results
    }


def measure(cases: Cases, num_passes: int) -> list[Measured]:
    """Return a row that compares our scoring with the sum of the two scorers; minimum of alternating passes."""
    with tempfile.TemporaryDirectory() as folder:
        write_cases(cases, Path(folder))
        arms: dict[str, Callable[[], Any]] = {
            "ours": lambda: score(cases),
            "without motmetrics": lambda: score(cases, second=False),
            "TrackEval": lambda: score_by_trackeval(cases, Path(folder)),
            "motmetrics": lambda: score_by_motmetrics(cases),
        }
        seconds = dict.fromkeys(arms, np.inf)
        for _ in range(num_passes):
            for name, arm in arms.items():
                seconds[name] = min(seconds[name], _cpu_seconds(arm))
    num_boxes = sum(int((truth["considered"] & (truth["class_id"] == 1)).sum()) for truth, _ in cases.values())
    both = seconds["TrackEval"] + seconds["motmetrics"]
    goal = f"< {both:.1f} s: TrackEval {seconds['TrackEval']:.1f} s + motmetrics {seconds['motmetrics']:.1f} s"
    work = f"scores and events of {len(cases)} sequences, {num_boxes:,} boxes, CPU"
    ratio, alone = (seconds[name] / seconds["TrackEval"] for name in ("ours", "without motmetrics"))
    return [
        Measured(work, goal, f"{seconds['ours']:.1f} s", seconds["ours"] < both),
        Measured("the same ÷ TrackEval alone", "≤ 0.75", f"{ratio:.2f}, {alone:.2f} without motmetrics", ratio <= 0.75),
    ]


def score(cases: Cases, *, second: bool = True) -> None:
    """Score as `evaluate_tracking`, with or without the second scorer."""
    for truth, tracks in cases.values():
        comparison = compare(truth, tracks, range(1, _num_frames(truth) + 1), rules_of("MOT17"))
        official_results(comparison)
        event_table(comparison)
        if second:
            count_events(accumulate(comparison))


def score_by_trackeval(cases: Cases, folder: Path) -> None:
    """Score the written files as TrackEval's script does, one sequence after the other, without plots."""
    config = {
        "GT_FOLDER": str(folder / "gt"),
        "TRACKERS_FOLDER": str(folder / "trackers"),
        "SKIP_SPLIT_FOL": True,
        "PRINT_CONFIG": False,
        "SEQ_INFO": {name: _num_frames(truth) for name, (truth, _) in cases.items()},
    }
    quiet = {
        "PRINT_CONFIG": False,
        "PRINT_RESULTS": False,
        "PLOT_CURVES": False,
        "OUTPUT_SUMMARY": False,
        "OUTPUT_DETAILED": False,
        "TIME_PROGRESS": False,
    }
    metrics = [CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False}), HOTA()]
    with contextlib.redirect_stdout(io.StringIO()):
        Evaluator(quiet).evaluate([MotChallenge2DBox(config)], metrics)


def score_by_motmetrics(cases: Cases) -> None:
    """Accumulate every box and count."""
    for truth, tracks in cases.values():
        accumulator = motmetrics.MOTAccumulator()
        found, none = dict(iter(tracks.groupby("frame"))), tracks[:0]
        for frame, rows in truth.groupby("frame"):
            seen = found.get(frame, none)
            iou = iou_matrix(*(ltwh_to_ltrb(table[_BOX].to_numpy()) for table in (rows, seen)))
            accumulator.update(
                rows["track_id"].to_numpy(),
                seen["track_id"].to_numpy(),
                np.where(iou >= 0.5, 1 - iou, np.nan),
                frameid=frame,
            )
        motmetrics.metrics.create().compute(accumulator, metrics=_METRICS, return_dataframe=False)


def write_cases(cases: Cases, folder: Path) -> None:
    """Write the tables as MOTChallenge files in the layout of TrackEval."""
    for name, (truth, tracks) in cases.items():
        path = folder / "gt" / name / "gt" / "gt.txt"
        path.parent.mkdir(parents=True)
        flags = truth.assign(left=truth["left"] + 1, top=truth["top"] + 1, considered=truth["considered"].astype(int))
        flags[["frame", "track_id", *_BOX, "considered", "class_id", "visibility"]].to_csv(
            path, header=False, index=False
        )
        (folder / "trackers" / "tracks" / "data").mkdir(parents=True, exist_ok=True)
        write_results(tracks, folder / "trackers" / "tracks" / "data" / f"{name}.txt")


def _num_frames(truth: pd.DataFrame) -> int:
    return int(truth["frame"].max())


def _cpu_seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
