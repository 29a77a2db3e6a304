"""Run an embedding network on batches of images, and load and save its weights."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from reidops.embedding.description import EmbedderDescription
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError


class Inference:
    """A network on its device, in evaluation mode."""

    def __init__(self, network: EmbeddingNetwork, device: str = "cpu") -> None:
        self.network = network.to(device, memory_format=torch.channels_last).eval()
        self._device = device
        # On a CPU several threads embed in parallel. On a GPU they take turns, because each needs memory for a batch.
        self._turn: AbstractContextManager[Any] = nullcontext() if device == "cpu" else Lock()

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch, RGB uint8 [N, height, width, 3]."""
        with self._turn, torch.inference_mode():
            return self.network(torch.from_numpy(images).to(self._device)).cpu().numpy()

    def save_weights(self, path: Path) -> None:
        """Write the weights of the network as a safetensors file."""
        weights = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        path.write_bytes(save(weights))  # safetensors itself reports a full disk by an error of its own


def load_network(description: EmbedderDescription, weights: Path) -> EmbeddingNetwork:
    """Return the described network with the weights of a safetensors file.

    Raises:
        ReidopsError: the file is missing, or its weights do not fit the network.
    """
    network = _build(description)
    if not weights.is_file():
        raise ReidopsError(f"{weights}: no such file; the folder of an embedder has it and embedder.json")
    try:
        network.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise ReidopsError(
            f"{weights}: the weights do not fit the network in embedder.json; use both files of one training: {error}"
        ) from None
    return network


def _build(description: EmbedderDescription) -> EmbeddingNetwork:
    return EmbeddingNetwork(
        description.backbone,
        embedding_dim=description.embedding_dim,
        hidden_dim=description.hidden_dim,
        parts=description.parts,
        whole=description.whole,
        pooling=description.pooling,
        last_stride=description.last_stride,
        height=description.height,
        width=description.width,
        patch_stride=description.patch_stride,
        num_cameras=description.num_cameras,
        members=description.members,
        mean=description.mean,
        std=description.std,
        flip_average=description.flip_average,
    )
