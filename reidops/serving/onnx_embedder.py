"""Run the exported embedder with ONNX Runtime, without torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from reidops.embedding.description import (
    check_golden,
    check_golden_embeddings,
    golden_crop,
    golden_crops,
    read_description,
)
from reidops.embedding.resizing import resize_crops, rows_with_pixels
from reidops.errors import ReidopsError

MODEL = "model.onnx"
CPU = "CPUExecutionProvider"
_FASTEST_FIRST = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "OpenVINOExecutionProvider", CPU)

Providers = str | Sequence[str]
"""Execution providers of ONNX Runtime: their names, fastest first, or `auto` = those that are installed."""


class OnnxEmbedder:
    """An embedder with the interface of `Embedder`, loaded from model.onnx and embedder.json (stage `export`)."""

    def __init__(self, folder: Path, *, threads: int = 0, providers: Providers = (CPU,)) -> None:
        """Load the model and run the self-test; `threads` 0 = one per core.

        Raises:
            ReidopsError: a file is missing or unreadable, a provider is not installed, or the self-test fails.
        """
        folder = Path(folder)
        self.description = read_description(folder / "embedder.json")
        self._session = _open(folder / MODEL, threads, choose_providers(providers))
        check_golden(self.embed([golden_crop()])[0], self.description, str(folder))
        check_golden_embeddings(self.embed(golden_crops()), self.description, str(folder))

    @classmethod
    def load(cls, source: str | Path, *, threads: int = 0, providers: Providers = (CPU,)) -> "OnnxEmbedder":
        """Load a folder; the counterpart of `Embedder.load`."""
        return cls(Path(source), threads=threads, providers=providers)

    @property
    def providers(self) -> list[str]:
        """Return the execution providers that run the network, in the order of preference."""
        return self._session.get_providers()

    @property
    def dim(self) -> int:
        """Return the length of an embedding."""
        return self.description.dim

    @property
    def weights_sha256(self) -> str:
        """Return the SHA-256 of the safetensors file that was exported."""
        return self.description.weights_sha256

    @property
    def input_size(self) -> tuple[int, int]:
        """Return the network's input, height and width in px."""
        return self.description.height, self.description.width

    def embed(self, crops: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of crops of any sizes, each BGR uint8 [h, w, 3]; zeros for a crop
        without a pixel.
        """
        rows = rows_with_pixels(crops)
        embeddings = np.zeros((len(crops), self.dim), np.float32)
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            embeddings[batch] = self.embed_images(resize_crops([crops[row] for row in batch], *self.input_size))
        return embeddings

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch of resized images, RGB uint8 [N, height, width, 3]."""
        return self._session.run(["embeddings"], {"images": images})[0]


def choose_providers(providers: Providers) -> list[str]:
    """Return the execution providers to open a model with, fastest first.

    Raises:
        ReidopsError: one is not part of the installed ONNX Runtime.
    """
    installed = onnxruntime.get_available_providers()
    if providers == "auto":
        return [name for name in _FASTEST_FIRST if name in installed]
    wanted = [providers] if isinstance(providers, str) else list(providers)
    missing = [name for name in wanted if name not in installed]
    if missing:
        raise ReidopsError(
            f"providers: {', '.join(missing)} is not part of this ONNX Runtime, which has {', '.join(installed)}; "
            'give "auto" for the fastest of them'
        )
    return wanted


def _open(path: Path, threads: int, providers: list[str]) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; make it with `dvc repro export`")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Waiting threads sleep, so that a tracker can use their cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf as error:
        raise ReidopsError(
            f"{path}: the ONNX file is damaged ({error}); make it again with `dvc repro -f export`"
        ) from None
