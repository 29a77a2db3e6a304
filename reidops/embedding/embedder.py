"""Load an embedder, embed crops, and save it."""

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from reidops.embedding.description import (
    EmbedderDescription,
    check_golden,
    golden_crop,
    golden_values,
    read_description,
)
from reidops.embedding.images import resize_crops, rows_with_pixels
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.files import sha256
from reidops.progress_bar import progress_bar

WEIGHTS = "model.safetensors"
DESCRIPTION = "embedder.json"


class Embedder:
    """Embed crops of people as unit vectors; the cosine of two vectors is the similarity of the people.

    Use `Embedder.load` to create one.
    """

    def __init__(self, network: EmbeddingNetwork, description: EmbedderDescription, device: str = "cpu") -> None:
        self.network = network.to(device, memory_format=torch.channels_last).eval()
        self.description = description
        self._device = device
        # On a CPU several threads embed in parallel. On a GPU they take turns, because each needs memory for a batch.
        self._turn: AbstractContextManager[Any] = nullcontext() if device == "cpu" else Lock()

    @classmethod
    def load(cls, source: str | Path, device: str = "cpu", *, flip_average: bool | None = None) -> "Embedder":
        """Load a folder with model.safetensors and embedder.json, or `models:/person-reid@champion` from the registry.

        Args:
            flip_average: average over each crop and its mirror image (slower by half, slightly better); None = as
                saved.

        Raises:
            ReidopsError: the folder is incomplete, the weights do not fit, or the self-test fails.
        """
        folder = _local_folder(source)
        description = read_description(folder / DESCRIPTION)
        network = _build(description)
        _load_weights(network, folder / WEIGHTS)
        embedder = cls(network, description, device)
        check_golden(embedder.embed([golden_crop()])[0], description, str(source))
        _check_digest(folder / WEIGHTS, description)
        network.flip_average = description.flip_average if flip_average is None else flip_average
        return embedder

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

        A crop without a pixel, of a box outside its frame, has a zero embedding, which matches nobody.

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
        with self._turn, torch.inference_mode():
            return self.network(torch.from_numpy(images).to(self._device)).cpu().numpy()

    def save(self, folder: Path, *, trained_on: dict[str, Any] | None = None) -> None:
        """Write model.safetensors and embedder.json with the golden embedding of the current weights."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        (folder / WEIGHTS).chmod(0o644)  # safetensors writes 0600, which a server of another user cannot read
        self.description = dataclasses.replace(
            self.description,
            weights_sha256=sha256(folder / WEIGHTS),
            golden=golden_values(self.embed([golden_crop()])[0]),
            flip_average=self.network.flip_average,
            trained_on=self.description.trained_on if trained_on is None else trained_on,
        )
        self.description.write(folder / DESCRIPTION)


def describe(
    network: EmbeddingNetwork,
    *,
    backbone: str,
    embedding_dim: int,
    pooling: str,
    last_stride: int,
    height: int,
    width: int,
    num_classes: int,
) -> EmbedderDescription:
    """Return the description of a network that was never saved; `Embedder.save` fills in digest and golden values."""
    return EmbedderDescription(
        backbone=backbone,
        dim=network.dim,
        embedding_dim=embedding_dim,
        parts=network.parts,
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


def _build(description: EmbedderDescription) -> EmbeddingNetwork:
    d = description
    return EmbeddingNetwork(
        d.backbone,
        embedding_dim=d.embedding_dim,
        parts=d.parts,
        pooling=d.pooling,
        last_stride=d.last_stride,
        mean=d.mean,
        std=d.std,
        flip_average=d.flip_average,
    )


def _check_digest(path: Path, description: EmbedderDescription) -> None:
    """Raise if the weights file was replaced; the self-test may not detect it, because it compares only few values."""
    if sha256(path) != description.weights_sha256:
        raise ReidopsError(
            f"{path}: the SHA-256 differs from weights_sha256 in {DESCRIPTION}; use both files of one training"
        )


def _load_weights(network: EmbeddingNetwork, path: Path) -> None:
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; the folder of an embedder has {WEIGHTS} and {DESCRIPTION}")
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise ReidopsError(
            f"{path}: the weights do not fit the network in {DESCRIPTION}; use both files of one training: {error}"
        ) from None
