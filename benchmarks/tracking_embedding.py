"""Crops/s of embedding a sequence's detections, from the frames' JPEG files on, beside the network's own forward.

The forward runs on batches that are ready, of the same size and the same number of images. Both use all threads, take turns,
and count by the clock; the best of some passes is kept. The networks' weights are random, which costs the same.
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

from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork
from reidops.mot.sequences import Sequence, read_detections, read_sequence
from reidops.tracking.embeddings import embed_sequence

NETWORKS = (("osnet_x0_25", 256, 128), ("resnet10t", 96, 48))  # the peer's, and the default of params.yaml
BATCH = 64
GOAL = 0.9


def measure(data: Path | None, num_frames: int, num_passes: int) -> list[Measured]:
    """Return a line for each network, on MOT17-09 of the real data or on drawn frames."""
    with tempfile.TemporaryDirectory() as folder:
        if data is not None:
            sequence = read_sequence(data / "MOT17" / "train" / "MOT17-09-FRCNN")
            detections = read_detections(sequence).query("frame <= @num_frames")
        else:
            sequence, detections = _draw_sequence(Path(folder), num_frames)
        return [_measure_network(sequence, detections, network, num_passes) for network in NETWORKS]


def _measure_network(sequence: Sequence, detections: pd.DataFrame, network: tuple[str, int, int], num_passes: int) -> Measured:
    embedder, num_crops = _embedder(*network), len(detections)
    images = np.random.default_rng(0).integers(0, 256, (BATCH, *embedder.input_size, 3), dtype=np.uint8)
    arms: dict[str, Callable[[], Any]] = {
        "forward": lambda: [embedder.embed_images(images[: min(BATCH, num_crops - i)]) for i in range(0, num_crops, BATCH)],
        "sequence": lambda: embed_sequence(sequence, detections, embedder, batch_size=BATCH),
    }
    rates = dict.fromkeys(arms, 0.0)
    for _ in range(num_passes):
        for name, arm in arms.items():
            rates[name] = max(rates[name], num_crops / _seconds(arm))
    share = rates["sequence"] / rates["forward"]
    name, height, width = network
    work = f"{name} {height} × {width}: embedding of {num_crops:,} detections in {detections['frame'].nunique()} frames, {torch.get_num_threads()} threads"
    goal = f"≥ {GOAL} of the model's own forward, {rates['forward']:,.0f} crops/s"
    return Measured(work, goal, f"{share:.2f}: {rates['sequence']:,.0f} crops/s", share >= GOAL)


def _embedder(backbone: str, height: int, width: int) -> Embedder:
    torch.manual_seed(0)
    network = EmbeddingNetwork(backbone)
    description = describe(
        network, backbone=backbone, embedding_dim=0, pooling="avg", last_stride=2, height=height, width=width, num_classes=0
    )
    return Embedder(network, description)


def _draw_sequence(folder: Path, num_frames: int) -> tuple[Sequence, pd.DataFrame]:
    """Return a sequence whose frames are one smooth picture that moves, with six detections in each, as MOT17-09's have."""
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    for frame in range(1, num_frames + 1):
        cv2.imwrite(str(folder / f"{frame:06d}.jpg"), np.roll(picture, 3 * frame, axis=1))
    boxes = draw_walks(num_frames, 6, rng).reshape(-1, 4)
    columns = dict(zip(("left", "top", "width", "height"), boxes.T, strict=True))
    detections = pd.DataFrame({"frame": np.repeat(np.arange(1, num_frames + 1), 6), **columns, "confidence": 1.0})
    return Sequence("DRAWN-01", "01", folder, num_frames, 30.0, WIDTH, HEIGHT), detections


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
