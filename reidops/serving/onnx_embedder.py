"""Run the exported embedder with ONNX Runtime, without torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reidops.embedding.description import read_description
from reidops.embedding.exported import AUTO, open_checked, open_fastest
from reidops.embedding.formats import FORMATS, ONNX
from reidops.embedding.onnx_session import CPU, Providers
from reidops.embedding.resizing import resize_crops, rows_with_pixels

FORMATS_OF_ONNX = tuple(name for name, known in FORMATS.items() if known.runtime == "onnxruntime")


class OnnxEmbedder:
    """An embedder with the interface of `Embedder`, loaded from the ONNX files and embedder.json of stage `export`."""

    def __init__(
        self, folder: Path, *, threads: int = 0, providers: Providers = (CPU,), export_format: str = ONNX
    ) -> None:
        """Load the model and run the self-test; `threads` 0 = one per core.

        Args:
            export_format: onnx, onnx-fp16, onnx-int8, tensorrt, or auto = the one of these that is fastest here.

        Raises:
            ReidopsError: a file is missing or unreadable, a provider is not installed, or the self-test fails.
        """
        folder = Path(folder)
        self.description = read_description(folder / "embedder.json")
        if export_format == AUTO:
            found = open_fastest(folder, self.description, among=FORMATS_OF_ONNX, threads=threads, providers=providers)
            self.export_format, self._network = found
        else:
            self.export_format = export_format
            self._network = open_checked(folder, export_format, self.description, threads=threads, providers=providers)

    @classmethod
    def load(
        cls, source: str | Path, *, threads: int = 0, providers: Providers = (CPU,), export_format: str = ONNX
    ) -> "OnnxEmbedder":
        """Load a folder; the counterpart of `Embedder.load`."""
        return cls(Path(source), threads=threads, providers=providers, export_format=export_format)

    @property
    def providers(self) -> list[str]:
        """Return the execution providers that run the network, in the order of preference."""
        return getattr(self._network, "providers", [])

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
        return self._network.embed(images)
