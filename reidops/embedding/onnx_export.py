"""Export an embedder to ONNX and measure that it is still the same."""

import dataclasses
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from reidops.embedding.embedder import Embedder
from reidops.embedding.onnx_embedder import OnnxEmbedder

OPSET = 18  # what torch's exporter is built for: others are converted from it
BATCH_SIZES = (1, 2, 7)


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's embeddings are from torch's."""

    max_abs_difference: float
    min_cosine: float
    tolerance: float
    batch_sizes: tuple[int, ...]
    num_images: int

    @property
    def passed(self) -> bool:
        """Return whether the largest difference is within the tolerance."""
        return self.max_abs_difference <= self.tolerance

    def as_dict(self) -> dict[str, object]:
        """Return what parity.json holds."""
        return {**dataclasses.asdict(self), "passed": self.passed}


def export_onnx(embedder: Embedder, path: Path) -> None:
    """Write the network as ONNX: `images` uint8 [N, height, width, 3] in RGB → `embeddings` float32 [N, dim], N free.

    Normalisation is in the graph: whoever runs it hands over plain resized pixels and cannot get mean and std wrong.
    """
    example = torch.zeros(2, *embedder.input_size, 3, dtype=torch.uint8)
    network = embedder.network.to("cpu", memory_format=torch.contiguous_format)
    with warnings.catch_warnings(), _quiet_exporter():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecated parts
        torch.onnx.export(
            network, (example,), path, input_names=["images"], output_names=["embeddings"], opset_version=OPSET,
            dynamo=True, dynamic_shapes=({0: torch.export.Dim("N", min=1)},), external_data=False, verbose=False,
        )  # fmt: skip


def measure_parity(embedder: Embedder, exported: OnnxEmbedder, images: np.ndarray, tolerance: float) -> Parity:
    """Embed images, RGB uint8 [N, height, width, 3], with both, in batches of 1, 2 and 7."""
    pairs = [(embedder.embed_images(b), exported.embed_images(b)) for size in BATCH_SIZES for b in _batches(images, size)]
    ours, theirs = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return Parity(
        max_abs_difference=float(np.abs(ours - theirs).max()), min_cosine=float((ours * theirs).sum(axis=1).min()),
        tolerance=tolerance, batch_sizes=BATCH_SIZES, num_images=len(images),
    )  # fmt: skip


def _batches(images: np.ndarray, size: int) -> Sequence[np.ndarray]:
    return [images[i : i + size] for i in range(0, len(images) - size + 1, size)]


def _quiet_exporter() -> "_QuietLogger":
    return _QuietLogger("torch.onnx")


class _QuietLogger:
    """Hold one logger at errors only for the length of a block."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def __enter__(self) -> None:
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        self._logger.setLevel(self._level)
