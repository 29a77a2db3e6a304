"""The losses of critic and generator: Wasserstein with a gradient penalty, or logistic with R1."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidops.generation.settings import LossName

R1_EVERY = 8
"""Steps of the critic per R1 penalty, whose weight is multiplied by this number (Karras et al. 2020)."""


def critic_loss(name: LossName, scores_real: Tensor, scores_fake: Tensor) -> Tensor:
    """Return the loss of the critic without its penalty, of the scores [N] of real and of generated crops.

    wgan-gp: the mean scores of generated minus those of real crops (Gulrajani et al. 2017). logistic: the cross-entropy
    of real against generated (Goodfellow et al. 2014).
    """
    if name == "wgan-gp":
        return scores_fake.mean() - scores_real.mean()
    return functional.softplus(-scores_real).mean() + functional.softplus(scores_fake).mean()


def generator_loss(name: LossName, scores_fake: Tensor) -> Tensor:
    """Return the loss of the generator, of the scores [N] of its crops; logistic: the non-saturating loss."""
    return -scores_fake.mean() if name == "wgan-gp" else functional.softplus(-scores_fake).mean()


def penalty(
    name: LossName, critic: nn.Module, real: Tensor, fake: Tensor, *, step: int, generator: torch.Generator
) -> Tensor | None:
    """Return the penalty of a step of the critic, to be multiplied by its weight; None = this step has none."""
    if name == "wgan-gp":
        return penalise_interpolated(critic, real, fake, generator)
    return R1_EVERY * penalise_real(critic, real) if step % R1_EVERY == 0 else None


def penalise_interpolated(critic: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean squared difference of the norm of the critic's gradient from 1 (Gulrajani et al. 2017).

    The gradient is taken at one random point between each real and each generated crop, [N, 3, H, W].
    """
    weights = torch.rand(len(real), 1, 1, 1, generator=generator).to(real.device)
    gradients = _gradients(critic, torch.lerp(fake, real, weights))
    return (gradients.norm(dim=1) - 1).square().mean()


def penalise_real(critic: nn.Module, real: Tensor) -> Tensor:
    """Return half the mean squared norm of the critic's gradient at real crops [N, 3, H, W] (R1, Mescheder 2018)."""
    return _gradients(critic, real).square().sum(dim=1).mean() / 2


def _gradients(critic: nn.Module, crops: Tensor) -> Tensor:
    """Return the gradient of each crop's score, [N, 3 · H · W], which can be differentiated again."""
    points = crops.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return gradients.flatten(1)
