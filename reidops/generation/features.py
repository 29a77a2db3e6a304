"""Features of crops by a network at hand, to compare generated with real crops."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from reidops.embedding.embedder import Embedder
from reidops.embedding.network import EmbeddingNetwork
from reidops.files import repository_path

_RANDOM_BACKBONE, _RANDOM_SIZE, _BATCH = "resnet10t", (64, 32), 64


@dataclass(frozen=True)
class FeatureNetwork:
    """A network that gives features: its name, its input in px, and unit features [N, D] of RGB uint8 images."""

    name: str
    height: int
    width: int
    embed: Callable[[np.ndarray], np.ndarray]

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return float32 [N, D] of RGB uint8 images [N, height, width, 3]."""
        starts = range(0, len(images), _BATCH)
        return np.concatenate([self.embed(images[start : start + _BATCH]) for start in starts])


def load_features(embedder: str | None) -> FeatureNetwork:
    """Return the network of an embedder: a folder or models:/NAME@ALIAS; None = a network with fixed random weights.

    Random convolutions respond to colours and edges; they were not trained on people.

    Raises:
        ReidopsError: the embedder cannot be loaded.
    """
    if embedder is None:
        return _random_network()
    loaded = Embedder.load(embedder if embedder.startswith("models:/") else repository_path(embedder))
    name = f"{loaded.description.backbone} ({loaded.weights_sha256[:8]})"
    return FeatureNetwork(name, *loaded.input_size, loaded.embed_images)


def _random_network() -> FeatureNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = EmbeddingNetwork(_RANDOM_BACKBONE).eval()

    def embed(images: np.ndarray) -> np.ndarray:
        """Return float32 [N, D] of RGB uint8 images [N, height, width, 3]."""
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return FeatureNetwork(f"{_RANDOM_BACKBONE} with random weights", *_RANDOM_SIZE, embed)
