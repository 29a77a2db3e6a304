"""Compare SORT and ByteTrack with the packages `trackers` and `similari-trackers-rs` (Rust) on the same detections.

python benchmarks/tracking_rivals.py --data ../shared/data [--sequence MOT17-09-FRCNN] [--quick]

The first table has frames/s and official scores on the public detections of a MOT17 sequence, all of them, and all its
annotated frames. SORT has the same constants in all three packages: least IoU .3, three matches until a track is
returned, and `max_age` frames that a lost track is kept. similari's SORT returns every track from its first detection,
so its rows are counted from the third on. ByteTrack has the defaults of each package. The second table has frames/s at
30 detections per frame on random walks. Both give frames per CPU second (all threads) and per second of the clock, the
best of three passes; each package gets its own kind of boxes, built before the measurement.

A package that is not installed is left out, and the reason is printed.
"""

import argparse
import importlib
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import supervision as sv
from drawn_tracks import draw_frames

from reidops.mot.boxes import ltrb_to_ltwh, ltwh_to_ltrb
from reidops.mot.sequences import read_annotations, read_detections, read_sequence
from reidops.tracking.bytetrack import ByteTrack
from reidops.tracking.constants import SortConstants
from reidops.tracking.evaluation.scoring import compare, official_results, official_scores, rules_of
from reidops.tracking.sort import Sort

BOX = ["left", "top", "width", "height"]
MIN_HITS, MIN_IOU, NUM_DETECTIONS = 3, 0.3, 30
Frames = list[Any]
Shown = tuple[np.ndarray, np.ndarray]  # box_ltrb [n, 4], track ids [n]


@dataclass(frozen=True)
class Arm:
    """A tracker of a package: how its boxes are built, how it starts, and what an update shows."""

    package: str
    tracker: str
    build: Callable[[sv.Detections], Any]
    start: Callable[[], Callable[[Any], Any]]
    shown: Callable[[Any], Shown]


def our_arms() -> list[Arm]:
    """Return the trackers of reidops."""
    sorts = {
        f"SORT, max_age {age}": lambda age=age: Sort(SortConstants(MIN_IOU, age, MIN_HITS)).update for age in (1, 30)
    }
    starts = sorts | {"ByteTrack": lambda: ByteTrack().update}
    return [Arm("reidops", name, lambda found: found, start, _shown) for name, start in starts.items()]


def package_arms() -> list[Arm]:
    """Return those of the package `trackers`; none if it is not installed."""
    package = _imported("trackers", "trackers")
    if package is None:
        return []
    states = importlib.import_module("trackers.utils.state_representations")

    def start_sort(age: int) -> Callable[[Any], Any]:
        return package.SORTTracker(
            lost_track_buffer=age,
            minimum_consecutive_frames=MIN_HITS,
            minimum_iou_threshold=MIN_IOU,
            track_activation_threshold=0.0,
            state_estimator_class=states.XCYCSRStateEstimator,
        ).update

    starts = {f"SORT, max_age {age}": lambda age=age: start_sort(age) for age in (1, 30)}
    starts["ByteTrack"] = lambda: package.ByteTrackTracker().update
    return [Arm("trackers", name, lambda found: found, start, _shown) for name, start in starts.items()]


def similari_arms() -> list[Arm]:
    """Return SORT of similari; none if it is not installed."""
    package = _imported("similari", "similari-trackers-rs")
    if package is None:
        return []

    def build(found: sv.Detections) -> list[tuple[Any, int]]:
        rows = np.column_stack([ltrb_to_ltwh(found.xyxy), np.clip(found.confidence, 0, 1)])
        return [(package.Universal2DBox.ltwh_with_confidence(*row), k) for k, row in enumerate(rows.tolist())]

    def start(age: int) -> Callable[[Any], Any]:
        method = package.PositionalMetricType.iou(threshold=MIN_IOU)
        return package.Sort(shards=1, bbox_history=1, max_idle_epochs=age, method=method).predict

    def shown(tracks: list[Any]) -> Shown:
        late = [track for track in tracks if track.length >= MIN_HITS]
        boxes = [track.predicted_bbox.as_ltwh() for track in late]
        box_ltwh = np.array([(b.left, b.top, b.width, b.height) for b in boxes], dtype=float).reshape(-1, 4)
        return ltwh_to_ltrb(box_ltwh), np.array([track.id for track in late], dtype=int)

    return [Arm("similari", f"SORT, max_age {age}", build, lambda age=age: start(age), shown) for age in (1, 30)]


def _imported(module: str, project: str) -> Any:
    """Return a module, or None after printing that its package is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        print(f"left out: the package {project} is not installed (pip install {project})\n")
        return None


def _shown(result: sv.Detections) -> Shown:
    confirmed = result.tracker_id >= 0
    return result.xyxy[confirmed], result.tracker_id[confirmed].astype(int)


def rates(arms: list[Arm], frames: list[sv.Detections], num_passes: int) -> list[tuple[float, float]]:
    """Return frames per CPU second and per second of the clock of each arm, best of alternating passes."""
    best = [(0.0, 0.0)] * len(arms)
    built = [[arm.build(found) for found in frames] for arm in arms]
    for _ in range(num_passes):
        for k, arm in enumerate(arms):
            cpu, clock = _seconds(arm.start(), built[k])
            best[k] = max(best[k][0], len(frames) / cpu), max(best[k][1], len(frames) / clock)
    return best


def _seconds(update: Callable[[Any], Any], frames: Iterable[Any]) -> tuple[float, float]:
    cpu, clock = time.process_time(), time.perf_counter()
    for found in frames:
        update(found)
    return max(time.process_time() - cpu, 1e-9), time.perf_counter() - clock


def scores(arm: Arm, frames: list[sv.Detections], truth: pd.DataFrame) -> dict[str, float]:
    """Return the official scores of an arm's tracks; frame k of `frames` has number k + 1."""
    update, tables = arm.start(), []
    for number, found in enumerate(frames, 1):
        box_ltrb, ids = arm.shown(update(arm.build(found)))
        tables.append(
            pd.DataFrame(ltrb_to_ltwh(box_ltrb), columns=BOX).assign(frame=number, track_id=ids, confidence=1.0)
        )
    tracks = pd.concat(tables, ignore_index=True)
    numbers = range(1, len(frames) + 1)
    return asdict(official_scores(official_results(compare(truth, tracks, numbers, rules_of("MOT17")))))


def read_frames(folder: Path) -> tuple[list[sv.Detections], pd.DataFrame]:
    """Return the detections of each frame of a sequence, and its annotations."""
    sequence = read_sequence(folder)
    truth, found = read_annotations(sequence), read_detections(sequence)
    rows_of = dict(iter(found.groupby("frame")))
    tables = [rows_of.get(frame, found[:0]) for frame in range(1, int(truth["frame"].max()) + 1)]
    frames = [
        sv.Detections(xyxy=ltwh_to_ltrb(rows[BOX].to_numpy(dtype=float)), confidence=rows["confidence"].to_numpy(float))
        for rows in tables
    ]
    return frames, truth


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sequence", default="MOT17-09-FRCNN")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    arms, num_passes = our_arms() + package_arms() + similari_arms(), 1 if arguments.quick else 3
    if arguments.data is None:
        print("left out: scores on a MOT17 sequence need --data\n")
    else:
        frames, truth = read_frames(arguments.data / "MOT17" / "train" / arguments.sequence)
        frames = frames[:30] if arguments.quick else frames
        print("| tracker | package | frames/CPU s | frames/s | IDF1 | HOTA | MOTA | IDSW |\n" + "|---" * 8 + "|")
        for arm, (cpu, clock) in zip(arms, rates(arms, frames, num_passes), strict=True):
            found = scores(arm, frames, truth)
            official = [f"{found[name]:.3f}" for name in ("IDF1", "HOTA", "MOTA")] + [str(found["IDSW"])]
            print(f"| {arm.tracker} | {arm.package} | {cpu:,.0f} | {clock:,.0f} | {' | '.join(official)} |")
        print()
    walks = draw_frames(40 if arguments.quick else 1000, NUM_DETECTIONS, np.random.default_rng(0))
    print(f"| tracker | package | frames/CPU s at {NUM_DETECTIONS} detections | frames/s |\n" + "|---" * 4 + "|")
    for arm, (cpu, clock) in zip(arms, rates(arms, walks, num_passes), strict=True):
        print(f"| {arm.tracker} | {arm.package} | {cpu:,.0f} | {clock:,.0f} |")


if __name__ == "__main__":
    main()
