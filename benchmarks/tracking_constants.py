"""Seconds that a changed tracker constant costs on seven half sequences of MOT17's sizes, from cached embeddings.

The whole stage `evaluate_tracking` is timed by the clock, imports and all: every arm is tracked, scored and compared,
once without and once with the pictures of switches and the clips. The boxes are drawn and so are the embeddings, near
to one vector for each person; every frame is the same picture, 1920 × 1080. The CPU seconds of all processes are
also printed, for machines that others use.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil
from drawn_tracks import HEIGHT, WIDTH, draw_annotations, draw_tracks
from measured import Measured

from reidops.boxes.embeddings import EmbeddedDetections, write_embeddings
from reidops.cores import usable_cores
from reidops.params import read_params
from reidops.parts import Part, write_parts

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # stages are not installed; they belong to the repository

DEFAULT = Path(__file__).resolve().parents[1] / "recipes" / "default.yaml"
GOAL = 30  # s
DIM = 512
NOISE = 0.4  # of the length of a person's own vector: two embeddings of one person lie a cosine distance of 0.14 apart
WEIGHTS = "0" * 64
PARAMS = {
    "gate": "calibrated",
    "min_confidence": None,
    "camera_motion": "none",
    "constants": {"deepsort": {"max_age": 45}, "botsort": {"max_age": 45}, "bytetrack": {"max_age": 45}},
}
NO_PICTURES = {"num_switches": 0, "num_frames": 0, "num_clips": 0}


def measure(trackers: tuple[str, ...], scenes: tuple[str, ...], share: float) -> list[Measured]:
    """Return a line for each tracker, on the second halves of scenes of MOT17's sizes or of a share of them."""
    with tempfile.TemporaryDirectory() as folder:
        parts = draw_halves(Path(folder), scenes, share)
        return [
            _measure_tracker(name, Path(folder), parts, pictures) for name in trackers for pictures in (False, True)
        ]


def _measure_tracker(tracker: str, data: Path, parts: list[Part], pictures: bool) -> Measured:
    start, cpu_before = time.perf_counter(), _cpu_seconds()
    from stages.evaluate_tracking import EvaluateTrackingParams, evaluate_tracking

    default = read_params(EvaluateTrackingParams, "evaluate_tracking", DEFAULT)
    params = replace(default, tracker=tracker, **PARAMS, **({} if pictures else NO_PICTURES))
    evaluate_tracking(
        data / "raw",
        data / "embeddings",
        data / "calibration.json",
        data / "tuning",
        data / "tracking" / tracker,
        params,
    )
    seconds, cpu = time.perf_counter() - start, _cpu_seconds() - cpu_before
    num_arms = len(pd.read_csv(data / "tracking" / tracker / "sequences.csv")["arm"].unique())
    num_frames = sum(part.num_frames for part in parts)
    pictured = "default pictures" if pictures else "timelines only"
    work = (
        f"{tracker}: a changed constant, {num_frames:,} frames of {len(parts)} sequences, arms: {num_arms}, "
        f"{pictured}, cores: {usable_cores()}"
    )
    return Measured(work, f"< {GOAL} s", f"{seconds:.1f} s ({cpu:.1f} s of CPU)", seconds < GOAL)


def _cpu_seconds() -> float:
    """Return what this process and the workers that it started have used."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (here, *here.children(recursive=True)))


def draw_halves(data: Path, scenes: tuple[str, ...], share: float) -> list[Part]:
    """Write sequences, cached embeddings of their second halves, parts.csv and a calibration; return the parts."""
    rng = np.random.default_rng(0)
    (data / "embeddings").mkdir()
    picture = cv2.resize(
        rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    cv2.imwrite(str(data / "frame.jpg"), picture)
    parts = []
    for scene in scenes:
        annotations = draw_annotations(scene, rng, share)
        length = int(annotations["frame"].max())
        part = Part(
            "track", "DRAWN", "mot", data / "raw" / f"DRAWN-{scene}", f"DRAWN-{scene}", scene, length // 2 + 2, length
        )
        _write_sequence(part.folder, annotations, data / "frame.jpg")
        half = annotations[annotations["frame"].between(part.first_frame, part.last_frame)]
        write_embeddings(_draw_embedded(half, rng), data / "embeddings" / f"{part.sequence}.npz")
        parts.append(part)
    write_parts(parts, data / "raw")
    (data / "calibration.json").write_text(
        json.dumps({"weights_sha256": WEIGHTS, "gates": {"cosine": 0.3, "ema_cosine": 0.25}})
    )
    (data / "tuning").mkdir()
    (data / "tuning" / "constants.json").write_text(
        json.dumps({"tracker": "deepsort", "constants": {}, "tuned_on": []})
    )
    return parts


def _write_sequence(folder: Path, annotations: pd.DataFrame, picture: Path) -> None:
    for name in ("img1", "gt", "det"):
        (folder / name).mkdir(parents=True)
    length = int(annotations["frame"].max())
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nimDir=img1\nframeRate=30\nseqLength={length}\nimWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n"
    )
    for frame in range(1, length + 1):
        os.link(picture, folder / "img1" / f"{frame:06d}.jpg")
    rows = annotations.assign(
        left=annotations["left"] + 1, top=annotations["top"] + 1, considered=annotations["considered"].astype(int)
    )
    rows.to_csv(folder / "gt" / "gt.txt", header=False, index=False, float_format="%.2f")


def _draw_embedded(annotations: pd.DataFrame, rng: np.random.Generator) -> EmbeddedDetections:
    """Return detections of most boxes, in order of frames, with the vector of whom they show, who changes each 100
    frames, and noise.
    """
    rows = draw_tracks(annotations, rng, found=0.8).sort_values("frame", kind="stable")
    vectors = rng.normal(0, 1, (int(rows["track_id"].max()) + 1, DIM)).astype(np.float32)
    embeddings = vectors[rows["track_id"]] + rng.normal(0, NOISE, (len(rows), DIM)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    confidence = rng.uniform(0.4, 1, len(rows)).astype(np.float32)
    boxes = rows[["left", "top", "width", "height"]].to_numpy(np.float32)
    return EmbeddedDetections(rows["frame"].to_numpy(np.int32), boxes, confidence, embeddings, WEIGHTS)
