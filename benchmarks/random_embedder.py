"""An embedder with random weights, which costs what a trained one costs."""

import torch

from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.network import EmbeddingNetwork


def random_embedder(backbone: str, height: int, width: int) -> Embedder:
    """Return an embedder of a backbone without a projection, for crops of height × width px."""
    torch.manual_seed(0)
    network = EmbeddingNetwork(backbone)
    description = describe(
        network,
        backbone=backbone,
        embedding_dim=0,
        pooling="avg",
        last_stride=2,
        height=height,
        width=width,
        num_classes=0,
    )
    return Embedder(network, description)
