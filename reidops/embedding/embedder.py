"""Load an embedder, embed crops, and save it.

torch and timm are imported with the first network, not with this module: their import takes several seconds, and most
programs that import this module, such as stages with nothing to embed, never load a network.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reidops.embedding.description import (
    EmbedderDescription,
    check_golden,
    golden_crop,
    golden_values,
    read_description,
)
from reidops.embedding.exported import AUTO, ExportedNetwork, open_checked, open_fastest
from reidops.embedding.resizing import resize_crops, rows_with_pixels
from reidops.errors import ReidopsError
from reidops.files import sha256
from reidops.memory import without_collection
from reidops.progress_bar import progress_bar

if TYPE_CHECKING:
    from reidops.embedding.inference import Inference
    from reidops.embedding.network import EmbeddingNetwork

WEIGHTS = "model.safetensors"
DESCRIPTION = "embedder.json"


@dataclasses.dataclass(frozen=True)
class ExportedEmbedding:
    """An exported network with the name of its format, in the place of a network of torch."""

    name: str
    exported: ExportedNetwork

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch, RGB uint8 [N, height, width, 3]."""
        return self.exported.embed(images)


class Embedder:
    """Embed crops of people as unit vectors; the cosine of two vectors is the similarity of the people.

    Use `Embedder.load` to create one.
    """

    def __init__(
        self, network: "EmbeddingNetwork | ExportedEmbedding", description: EmbedderDescription, device: str = "cpu"
    ) -> None:
        self.description = description
        self._inference: Inference | ExportedEmbedding
        if isinstance(network, ExportedEmbedding):
            self._inference = network
        else:
            # Imported here, because torch takes seconds to import, and an exported model runs without it.
            with without_collection():
                from reidops.embedding import inference

            self._inference = inference.Inference(network, device)

    @classmethod
    def load(
        cls,
        source: str | Path,
        device: str = "cpu",
        *,
        flip_average: bool | None = None,
        providers: str | None = None,
        threads: int = 0,
    ) -> "Embedder":
        """Load a folder with model.safetensors and embedder.json, or `models:/person-reid@champion` from the registry.

        Args:
            flip_average: average over each crop and its mirror image (slower by half, slightly better); None = as
                saved.
            providers: None = the weights with torch; a format of the stage `export` = that file; auto = the exported
                format that is fastest on this machine. The folder is then that of the stage, such as data/export.
            threads: of an exported format, 0 = one per core.

        Raises:
            ReidopsError: the folder is incomplete, the weights do not fit, or the self-test fails.
        """
        if providers is not None:
            return cls._load_exported(_local_folder(source), providers, threads, flip_average)
        # Imported here for the same reason as in `__init__`.
        with without_collection():
            from reidops.embedding.inference import load_network

        folder = _local_folder(source)
        description = read_description(folder / DESCRIPTION)
        network = load_network(description, folder / WEIGHTS)
        embedder = cls(network, description, device)
        check_golden(embedder.embed([golden_crop()])[0], description, str(source))
        _check_digest(folder / WEIGHTS, description)
        network.flip_average = description.flip_average if flip_average is None else flip_average
        return embedder

    @classmethod
    def _load_exported(cls, folder: Path, name: str, threads: int, flip_average: bool | None) -> "Embedder":
        description = read_description(folder / DESCRIPTION)
        if flip_average not in (None, description.flip_average):
            raise ReidopsError(
                f"{folder}: exported with flip_average {description.flip_average}, which an exported network cannot "
                "change; load the weights (providers=None)"
            )
        if name == AUTO:
            name, network = open_fastest(folder, description, threads=threads)
        else:
            network = open_checked(folder, name, description, threads=threads)
        return cls(ExportedEmbedding(name, network), description)

    @property
    def network(self) -> "EmbeddingNetwork":
        """Return the network of torch, in evaluation mode on its device.

        Raises:
            ReidopsError: the embedder was loaded in an exported format, which has no network of torch.
        """
        if isinstance(self._inference, ExportedEmbedding):
            raise ReidopsError(
                f"an embedder in the format {self.export_format} has no network of torch; load it with providers=None"
            )
        return self._inference.network

    @property
    def export_format(self) -> str | None:
        """Return the exported format that runs, None = the weights with torch."""
        return self._inference.name if isinstance(self._inference, ExportedEmbedding) else None

    @property
    def dim(self) -> int:
        """Return the length of an embedding."""
        return self.description.dim

    @property
    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights file, which identifies the model in caches and in the registry."""
        return self.description.weights_sha256

    @property
    def input_size(self) -> tuple[int, int]:
        """Return the network's input, height and width in px."""
        return self.description.height, self.description.width

    def embed(self, crops: Sequence[np.ndarray], batch_size: int = 64, *, desc: str | None = None) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of crops of any sizes, each BGR uint8 [h, w, 3].

        A crop without a pixel, of a box outside its frame, has a zero embedding, which matches no person.

        Args:
            desc: label of the progress bar; None = no bar.
        """
        rows = rows_with_pixels(crops)
        starts = range(0, len(rows), batch_size)
        bar = progress_bar(starts, desc=desc or "", unit="batches", shown=desc is not None)
        embeddings = np.zeros((len(crops), self.dim), np.float32)
        for start in bar:
            batch = rows[start : start + batch_size]
            embeddings[batch] = self.embed_images(resize_crops([crops[row] for row in batch], *self.input_size))
        return embeddings

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch of resized images, RGB uint8 [N, height, width, 3]."""
        return self._inference.embed(images)

    def save(self, folder: Path, *, trained_on: dict[str, Any] | None = None) -> None:
        """Write model.safetensors and embedder.json with the golden embedding of the current weights.

        Raises:
            ReidopsError: the embedder was loaded in an exported format, which has no weights to save.
        """
        if isinstance(self._inference, ExportedEmbedding):
            raise ReidopsError(
                f"an embedder in the format {self.export_format} cannot be saved; load it with providers=None"
            )
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._inference.save_weights(folder / WEIGHTS)
        self.description = dataclasses.replace(
            self.description,
            weights_sha256=sha256(folder / WEIGHTS),
            golden=golden_values(self.embed([golden_crop()])[0]),
            flip_average=self.network.flip_average,
            trained_on=self.description.trained_on if trained_on is None else trained_on,
        )
        self.description.write(folder / DESCRIPTION)


def describe(
    network: "EmbeddingNetwork",
    *,
    backbone: str,
    embedding_dim: int,
    pooling: str,
    last_stride: int,
    height: int,
    width: int,
    num_classes: int,
    patch_stride: int | None = None,
) -> EmbedderDescription:
    """Return the description of a network that was never saved; `Embedder.save` fills in digest and golden values."""
    return EmbedderDescription(
        backbone=backbone,
        dim=network.dim,
        embedding_dim=embedding_dim,
        hidden_dim=network.hidden_dim,
        parts=network.parts,
        whole=network.whole,
        patch_stride=patch_stride,
        num_cameras=network.num_cameras,
        members=network.members,
        pooling=pooling,
        last_stride=last_stride,
        height=height,
        width=width,
        mean=network.mean,
        std=network.std,
        num_classes=num_classes,
        weights_sha256="",
        golden=(),
    )


def _local_folder(source: str | Path) -> Path:
    if str(source).startswith("models:/"):
        # Imported here, because the registry imports MLflow, which a local folder does not need.
        from reidops.registry.models import pull_model

        return pull_model(str(source))
    if not Path(source).is_dir():
        raise ReidopsError(
            f"{source}: no such folder; expected a folder with {WEIGHTS} and {DESCRIPTION}, or models:/NAME@ALIAS"
        )
    return Path(source)


def _check_digest(path: Path, description: EmbedderDescription) -> None:
    """Raise if the weights file was replaced; the self-test may not detect it, because it compares only few values."""
    if sha256(path) != description.weights_sha256:
        raise ReidopsError(
            f"{path}: the SHA-256 differs from weights_sha256 in {DESCRIPTION}; use both files of one training"
        )
