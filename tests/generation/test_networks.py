"""reidops/generation/networks.py and losses.py: shapes, and losses that agree with plain formulas."""

import pytest
import torch
from torch import nn

from reidops.generation.losses import critic_loss, generator_loss, penalise_gradients
from reidops.generation.networks import Critic, Generator


@pytest.mark.parametrize("height", [32, 64, 128])
def test_the_generator_gives_crops_of_the_size_that_the_critic_scores(height):
    crops = Generator(height, latent_dim=5, channels=2)(torch.randn(3, 5))
    assert crops.shape == (3, 3, height, height // 2) and crops.abs().max() <= 1
    assert Critic(height, channels=2, normalised=True)(crops).shape == (3,)


@pytest.mark.parametrize("normalised", [True, False])
def test_the_score_of_a_crop_does_not_depend_on_the_others_of_its_batch(normalised):
    critic, crops = Critic(32, 2, normalised=normalised).eval(), torch.randn(4, 3, 32, 16)
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


def test_the_gradient_penalty_is_the_squared_distance_of_the_norm_from_1():
    penalty = penalise_gradients(Linear(), REAL, FAKE, torch.Generator().manual_seed(0))
    assert penalty.item() == pytest.approx((5 - 1) ** 2)


def test_the_wasserstein_loss_is_the_difference_of_the_scores_with_its_penalty():
    loss, real, fake = critic_loss(
        Linear(), REAL, FAKE, name="wgan-gp", gradient_penalty=10, generator=torch.Generator().manual_seed(0)
    )
    assert (real.item(), fake.item()) == (pytest.approx((3 + 0.3) / 2), pytest.approx(0))
    assert loss.item() == pytest.approx(0 - 1.65 + 10 * 16)


def test_the_hinge_loss_ignores_scores_beyond_the_margin():
    loss, _, _ = critic_loss(Linear(), REAL, FAKE, name="hinge", gradient_penalty=0, generator=torch.Generator())
    assert loss.item() == pytest.approx((0 + 0.7) / 2 + (5 + 0) / 2)


def test_the_generator_loss_is_minus_the_mean_score():
    assert generator_loss(Linear(), REAL).item() == pytest.approx(-1.65)
