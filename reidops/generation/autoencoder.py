"""A variational autoencoder whose decoder is the generator, to start the adversarial training (VAE-GAN, Larsen 2016).

A decoder learns the rough shape and the colours of people in a tenth of the steps that a generator needs against a
critic. Its crops are blurred; the adversarial training then sharpens them.
"""

import torch
from torch import Tensor, nn

from reidops.generation.networks import Encoder

_VARIANCE = 0.15
"""Variance of a pixel around its reconstruction, of values in −1 … 1. A smaller one gives sharper reconstructions, but
random latents then give crops that are less like people.
"""


def autoencoder_loss(encoder: Encoder, generator: nn.Module, real: Tensor, draws: torch.Generator) -> Tensor:
    """Return the negative evidence lower bound per crop (Kingma & Welling 2014), of crops [N, 3, H, W].

    It is the squared error of the reconstruction ÷ 2 variance, plus the divergence of the latents from a normal
    distribution.
    """
    means, log_variances = encoder(real)
    noise = torch.randn(means.shape, generator=draws).to(means.device)
    reconstructed = generator(means + noise * (log_variances / 2).exp())
    error = (reconstructed - real).square().flatten(1).sum(dim=1) / (2 * _VARIANCE)
    return (error + divergence(means, log_variances)).mean()


def divergence(means: Tensor, log_variances: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of normal distributions [N, D] from the standard one, [N]."""
    return (means.square() + log_variances.exp() - 1 - log_variances).sum(dim=1) / 2
