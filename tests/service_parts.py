"""A small served model for tests: the network of `made_result` behind the application."""

import io
from pathlib import Path

import numpy as np
from made_result import write_result
from PIL import Image

from reidops.errors import ReidopsError
from reidops.service.batching import BatchingEmbedder
from reidops.service.served_model import ServedModel
from reidops.serving.onnx_embedder import OnnxEmbedder

CROPS = [np.random.default_rng(seed).integers(0, 256, (30 + 9 * seed, 15, 3), np.uint8) for seed in range(3)]
GATES = {"cosine": 0.3, "ema_cosine": 0.4, "half_cosine": 0.2}


def jpeg(picture_bgr: np.ndarray, quality: int = 95) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture_bgr[:, :, ::-1]).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def two_models(root: Path) -> dict[str, Path]:
    """Write two results with different weights, and return the folders of their exported models by version."""
    return {str(seed): write_result(root / str(seed), seed=seed) / "export" for seed in (1, 2)}


class FakeSource:
    """A registry whose alias moves when `current` is set; a version without a folder cannot be loaded."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self.folders, self.current = folders, "1"

    def version(self) -> str:
        return self.current

    def load(self, version: str) -> ServedModel:
        if version not in self.folders:
            raise ReidopsError(f"version {version} is damaged")
        embedder = BatchingEmbedder(OnnxEmbedder(self.folders[version], threads=1))
        return ServedModel(f"models:/person-reid/{version}", version, embedder, GATES)
