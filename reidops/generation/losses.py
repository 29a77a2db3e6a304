"""The losses of critic and generator: Wasserstein with a gradient penalty, or hinge."""

from typing import Literal

import torch
from torch import Tensor, nn

LossName = Literal["wgan-gp", "hinge"]


def critic_loss(
    critic: nn.Module,
    real: Tensor,
    fake: Tensor,
    *,
    name: LossName,
    gradient_penalty: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss of the critic, and its mean scores of real and of generated crops, both [N, 3, H, W].

    wgan-gp: the scores of generated minus those of real crops, plus the penalty (Gulrajani et al. 2017). hinge: see
    Miyato et al. 2018.
    """
    scores_real, scores_fake = critic(torch.cat([real, fake])).chunk(2)
    if name == "hinge":
        loss = (1 - scores_real).relu().mean() + (1 + scores_fake).relu().mean()
    else:
        penalty = penalise_gradients(critic, real, fake, generator)
        loss = scores_fake.mean() - scores_real.mean() + gradient_penalty * penalty
    return loss, scores_real.detach().mean(), scores_fake.detach().mean()


def penalise_gradients(critic: nn.Module, real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
    """Return the mean squared difference of the norm of the critic's gradient from 1.

    The gradient is taken at one random point between each real and each generated crop.
    """
    weights = torch.rand(len(real), 1, 1, 1, generator=generator).to(real.device)
    points = torch.lerp(fake, real, weights).requires_grad_()
    (gradients,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()


def generator_loss(critic: nn.Module, fake: Tensor) -> Tensor:
    """Return minus the mean score of generated crops [N, 3, H, W], for both kinds of loss."""
    return -critic(fake).mean()
