"""Measure the latency of ONNX embedders on one core, in turns, so that other work on the machine affects all alike."""

import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import numpy as np

from reidops.serving.onnx_embedder import OnnxEmbedder

BATCH = 8
_ROUNDS = 15
_BUDGET_SECONDS = 1.0
_CROP = (128, 48, 3)  # height, width and channels of a person in a street video


def measure_latencies(folders: Mapping[str, Path]) -> dict[str, float]:
    """Return the median latency of each model, ms per crop, resizing included, in batches of BATCH on one core.

    Args:
        folders: name → folder of model.onnx and embedder.json.

    Raises:
        ReidopsError: a model cannot be loaded.
    """
    embedders = {name: OnnxEmbedder.load(folder, threads=1) for name, folder in folders.items()}
    crops = list(np.random.default_rng(0).integers(0, 256, (BATCH, *_CROP), np.uint8))
    times: dict[str, list[float]] = {name: [] for name in embedders}
    for embedder in embedders.values():
        embedder.embed(crops)  # the first call allocates memory
    end = time.perf_counter() + _BUDGET_SECONDS
    for number in range(_ROUNDS):
        if number and time.perf_counter() > end:
            break
        for name, embedder in embedders.items():
            begin = time.perf_counter()
            embedder.embed(crops)
            times[name].append(time.perf_counter() - begin)
    return {name: 1000 * median(row) / BATCH for name, row in times.items()}
