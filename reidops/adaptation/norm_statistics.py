"""Estimate the statistics of batch norm again on the crops of another domain, without labels (AdaBN, Li et al. 2017).

Weights stay as they are. A model that was trained in other light or by other cameras standardises its activations with
means and variances that do not fit; those of the new crops do.
"""

from itertools import pairwise

import numpy as np
import torch
from lightning_fabric import Fabric
from torch.nn.modules.batchnorm import _BatchNorm

from reidops.embedding.images import ImageBatches
from reidops.embedding.network import EmbeddingNetwork
from reidops.progress_bar import progress_bar

BATCH = 64
"""Number of crops in a batch, at most. Its variances are those of so many crops."""


def mix_norm_statistics(
    network: EmbeddingNetwork, images: ImageBatches, crops: np.ndarray, share: float, *, fabric: Fabric, seed: int
) -> int:
    """Replace a share of the running means and variances of all batch norms by those of crops.

    The statistics are the means over batches of random crops, each of which is used once. (1 − share) × the old values
    + share × the new values is kept, as Schneider et al. (2020) do for few crops.

    Args:
        images: the images of N crops.
        crops: positions of the crops that count, at least two.
        share: 0 … 1. 0: nothing is changed.

    Returns:
        The number of batch norms; 0 if the network has none.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    if not share or not norms or len(crops) < 2:
        return 0
    network.eval()  # without dropout
    old = [(norm.running_mean.clone(), norm.running_var.clone(), norm.momentum) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    _run(network, images, crops, fabric, seed)
    network.eval()
    for norm, (mean, variance, momentum) in zip(norms, old, strict=True):
        norm.running_mean.lerp_(mean, 1 - share)
        norm.running_var.lerp_(variance, 1 - share)
        norm.momentum = momentum
    return len(norms)


def _run(network: EmbeddingNetwork, images: ImageBatches, crops: np.ndarray, fabric: Fabric, seed: int) -> None:
    """Run the network over the crops in batches of nearly equal size, with the statistics of each batch."""
    order, num_batches = np.random.default_rng([seed, 2]).permutation(crops), -(-len(crops) // BATCH)
    bounds = np.linspace(0, len(order), num_batches + 1).astype(int).tolist()
    batches = (order[start:end] for start, end in pairwise(bounds))
    bar = progress_bar(images.stream(batches), total=num_batches, desc="norm statistics", unit="batches")
    with torch.no_grad(), fabric.autocast():
        for _, batch in bar:
            network(torch.from_numpy(batch).to(fabric.device))
