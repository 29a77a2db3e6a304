"""Export an embedder to ONNX and measure the difference of the embeddings."""

import dataclasses
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch

from reidops.embedding.embedder import Embedder
from reidops.memory import without_collection
from reidops.serving.onnx_embedder import OnnxEmbedder

OPSET = 18  # native opset of torch's exporter; others are converted from it
BATCH_SIZES = (1, 2, 7)


@dataclass(frozen=True)
class Parity:
    """The difference between the embeddings of ONNX Runtime and torch."""

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
        """Return the content of parity.json."""
        return {**dataclasses.asdict(self), "passed": self.passed}


def export_onnx(embedder: Embedder, path: Path) -> None:
    """Write the network as ONNX: `images` uint8 [N, height, width, 3] in RGB → `embeddings` float32 [N, dim], N free.

    Normalization is part of the graph, so users pass resized pixels and need no mean and std. The same network gives
    the same bytes in any folder.
    """
    with _quiet_exporter(), without_collection():
        model = _trace(embedder)
    _remove_traces(model)
    onnx.save(model, path)


def _trace(embedder: Embedder) -> onnx.ModelProto:
    example = torch.zeros(2, *embedder.input_size, 3, dtype=torch.uint8)
    program = torch.onnx.export(
        embedder.network.to("cpu", memory_format=torch.contiguous_format),
        (example,),
        input_names=["images"],
        output_names=["embeddings"],
        opset_version=OPSET,
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
        verbose=False,
    )
    if program is None:
        raise TypeError("torch.onnx.export with dynamo=True returned no program")
    return program.model_proto


def _remove_traces(model: onnx.ModelProto) -> None:
    """Remove the stack traces of the nodes, so that the file does not depend on the folder of the code."""
    for owner in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        owner.ClearField("metadata_props")


def measure_parity(embedder: Embedder, exported: OnnxEmbedder, images: np.ndarray, tolerance: float) -> Parity:
    """Embed images, RGB uint8 [N, height, width, 3], with both embedders in batches of 1, 2 and 7, and compare."""
    batches = [batch for size in BATCH_SIZES for batch in _batches(images, size)]
    # All batches with one embedder, then with the other: alternating thread pools wait for each other on busy cores.
    ours = np.concatenate([embedder.embed_images(batch) for batch in batches])
    theirs = np.concatenate([exported.embed_images(batch) for batch in batches])
    return Parity(
        max_abs_difference=float(np.abs(ours - theirs).max()),
        min_cosine=float((ours * theirs).sum(axis=1).min()),
        tolerance=tolerance,
        batch_sizes=BATCH_SIZES,
        num_images=sum(map(len, batches)),
    )


def _batches(images: np.ndarray, size: int) -> list[np.ndarray]:
    """Return at most four complete batches."""
    return [images[i : i + size] for i in range(0, len(images) - size + 1, size)][:4]


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Suppress the deprecation warnings of torch's exporter about its own code."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
