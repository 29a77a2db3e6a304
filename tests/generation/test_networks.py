"""reidops/generation/networks.py and losses.py: shapes, and losses that agree with plain formulas."""

import math

import pytest
import torch
from torch import nn

from reidops.generation.autoencoder import autoencoder_loss, divergence
from reidops.generation.losses import critic_loss, generator_loss, penalise_interpolated, penalise_real, penalty
from reidops.generation.networks import Critic, Encoder, Generator


@pytest.mark.parametrize("height", [32, 64, 128])
def test_the_generator_gives_crops_of_the_size_that_the_critic_scores(height):
    crops = Generator(height, latent_dim=5, channels=2)(torch.randn(3, 5))
    assert crops.shape == (3, 3, height, height // 2) and crops.abs().max() <= 1
    assert Critic(height, channels=2)(crops).shape == (3,)


def test_the_score_of_a_crop_does_not_depend_on_the_others_of_its_batch():
    critic, crops = Critic(32, 2), torch.randn(4, 3, 32, 16)
    torch.testing.assert_close(critic(crops)[:2], critic(crops[:2]))


class Linear(nn.Module):
    """A critic whose gradient is the same everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return crops.flatten(1) @ self.weight


REAL, FAKE = (
    torch.tensor([[1.0, 0.0], [0.1, 0.0]])[:, None, None],
    torch.tensor([[0.0, 1.0], [0.0, -1.0]])[:, None, None],
)


def test_the_penalty_of_wgan_is_the_squared_distance_of_the_norm_from_1():
    loss = penalise_interpolated(Linear(), REAL, FAKE, torch.Generator().manual_seed(0))
    assert loss.item() == pytest.approx((5 - 1) ** 2)


def test_the_penalty_r1_is_half_the_squared_norm_and_every_eighth_step_has_it_for_all():
    critic, draws = Linear(), torch.Generator()
    assert penalise_real(critic, REAL).item() == pytest.approx(25 / 2)
    by_step = [penalty("logistic", critic, REAL, FAKE, step=step, generator=draws) for step in range(9)]
    assert [value is not None for value in by_step] == [True, *[False] * 7, True]
    assert by_step[0].item() == pytest.approx(8 * 25 / 2)


def test_the_wasserstein_losses_are_differences_of_scores():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, -1.0])
    assert critic_loss("wgan-gp", real, fake).item() == -0.5 - 2 and generator_loss("wgan-gp", fake).item() == 0.5


def test_the_logistic_losses_are_cross_entropies():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, -1.0])
    of_critic = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3)) + math.log(2) + math.log1p(math.exp(-1))) / 2
    assert critic_loss("logistic", real, fake).item() == pytest.approx(of_critic)
    of_generator = (math.log(2) + math.log1p(math.exp(1))) / 2
    assert generator_loss("logistic", fake).item() == pytest.approx(of_generator)


def test_the_divergence_is_that_of_normal_distributions():
    means, log_variances = torch.tensor([[0.0, 0.0], [2.0, 1.0]]), torch.tensor([[0.0, 0.0], [0.0, math.log(4)]])
    assert divergence(means, log_variances).tolist() == pytest.approx([0, (4 + 1 + 4 - 1 - math.log(4)) / 2])


def test_the_loss_of_the_autoencoder_is_the_squared_error_of_a_certain_latent_and_the_divergence():
    encoder, crops = Encoder(32, 4, 2).eval(), torch.zeros(3, 3, 32, 16)
    encoder.layers[-1].weight.data.zero_()
    encoder.layers[-1].bias.data = torch.tensor([0.0] * 4 + [-8.0] * 4)
    loss = autoencoder_loss(encoder, lambda latents: crops + 0.5, crops, torch.Generator().manual_seed(0))
    expected = 0.25 * 3 * 32 * 16 / 0.3 + 4 * (math.exp(-8) - 1 + 8) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-5)
