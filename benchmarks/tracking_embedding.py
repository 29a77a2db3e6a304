"""Measure crops/s of embedding a sequence's detections from its JPEG files, compared with the network's forward pass.

The forward pass runs on prepared batches of the same size and number, as in `embed_images`: one batch at a time on all
threads. Both are measured in wall time and alternate; the results are the median of several passes and the median
ratio. The weights are random, which does not change the cost. Decoding a frame costs the same for any number of boxes,
so synthetic frames have 6 boxes as MOT17-09, or 21 as MOT17 on average (112,297 in 5,316 frames).
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from drawn_tracks import HEIGHT, WIDTH, draw_walks
from measured import Measured
from random_embedder import random_embedder

from reidops.boxes.embeddings import embed_sequence
from reidops.mot.sequences import Sequence, read_detections, read_sequence

NETWORKS = (("osnet_x0_25", 256, 128), ("resnet10t", 96, 48))  # the peer's, and the default of params.yaml
DENSITIES = (6, 21)  # boxes in a drawn frame
BATCH = 64
GOAL = 0.9


def measure(data: Path | None, num_boxes: int, num_passes: int) -> list[Measured]:
    """Return one row per network: on MOT17-09 of the real data, or for each density on synthetic frames.

    Args:
        num_boxes: detections in all, about.
    """
    with tempfile.TemporaryDirectory() as folder:
        if data is not None:
            sequence = read_sequence(data / "MOT17" / "train" / "MOT17-09-FRCNN")
            cases = [(sequence, read_detections(sequence).sort_values("frame", kind="stable").head(num_boxes))]
        else:
            cases = [
                _draw_sequence(Path(folder) / str(density), num_boxes // density, density) for density in DENSITIES
            ]
        return [_measure_network(*case, network, num_passes) for network in NETWORKS for case in cases]


def _measure_network(
    sequence: Sequence, detections: pd.DataFrame, network: tuple[str, int, int], num_passes: int
) -> Measured:
    embedder, num_crops = random_embedder(*network), len(detections)
    images = np.random.default_rng(0).integers(0, 256, (BATCH, *embedder.input_size, 3), dtype=np.uint8)
    arms: dict[str, Callable[[], Any]] = {
        "forward": lambda: [
            embedder.embed_images(images[: min(BATCH, num_crops - i)]) for i in range(0, num_crops, BATCH)
        ],
        "sequence": lambda: embed_sequence(sequence, detections, embedder, batch_size=BATCH),
    }
    for arm in arms.values():  # what PyTorch does once only
        arm()
    rates = pd.DataFrame([{name: num_crops / _seconds(arm) for name, arm in arms.items()} for _ in range(num_passes)])
    shares = rates["sequence"] / rates["forward"]
    name, height, width = network
    num_frames = detections["frame"].nunique()
    work = (
        f"{name} {height} × {width}: embedding of {num_crops:,} detections, {num_crops / num_frames:.0f} in a frame, "
        f"{torch.get_num_threads()} threads"
    )
    goal = f"≥ {GOAL} of the model's own forward, {rates['forward'].median():,.0f} crops/s"
    result = (
        f"{shares.median():.2f} ({shares.min():.2f} … {shares.max():.2f} in {num_passes} passes): "
        f"{rates['sequence'].median():,.0f} crops/s"
    )
    return Measured(work, goal, result, bool(shares.median() >= GOAL))


def _draw_sequence(folder: Path, num_frames: int, density: int) -> tuple[Sequence, pd.DataFrame]:
    """Return a sequence of a moving smooth picture, 0.2 MB per frame as in MOT17, with its detections."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    picture = cv2.resize(
        rng.integers(0, 255, (HEIGHT // 24, WIDTH // 24, 3), dtype=np.uint8),
        (WIDTH, HEIGHT),
        interpolation=cv2.INTER_CUBIC,
    )
    for frame in range(1, num_frames + 1):
        cv2.imwrite(
            str(folder / f"{frame:06d}.jpg"), np.roll(picture, 3 * frame, axis=1), [cv2.IMWRITE_JPEG_QUALITY, 75]
        )
    boxes = draw_walks(num_frames, density, rng).reshape(-1, 4)
    columns = dict(zip(("left", "top", "width", "height"), boxes.T, strict=True))
    detections = pd.DataFrame({"frame": np.repeat(np.arange(1, num_frames + 1), density), **columns, "confidence": 1.0})
    return Sequence("DRAWN-01", "01", folder, num_frames, 30.0, WIDTH, HEIGHT), detections


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
