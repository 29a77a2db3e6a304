"""reidops/training/auto_augment.py: policies of timm are applied per image, with seeds of one generator."""

import random

import numpy as np
import pytest
import torch

from reidops.errors import ReidopsError
from reidops.training.auto_augment import AutoAugment, check_policy
from reidops.training.draws import Draws

FILL = (0.4, 0.5, 0.6)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (12, 32, 16, 3), np.uint8))


def draws(seed: int = 0) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), 12)


@pytest.mark.parametrize(
    "policy", ["rand-m7-n2", "rand-m9-n3-mstd0.5-inc1", "original", "original-mstd0.5", "v0", "3a"]
)
def test_policies_change_images_and_keep_their_form(images, policy):
    before = images.clone()
    got = AutoAugment(policy, FILL)(images, draws())
    assert got.shape == images.shape and got.dtype == torch.uint8
    assert not torch.equal(got, images) and torch.equal(images, before)


def test_equal_generators_give_equal_changes_for_any_global_state(images):
    policy = AutoAugment("rand-m7-n2", FILL)
    first = policy(images, draws())
    random.seed(9)
    np.random.seed(9)
    assert torch.equal(policy(images, draws()), first)
    assert not torch.equal(policy(images, draws(1)), first)


def test_equal_images_are_changed_differently(images):
    got = AutoAugment("rand-m7-n2", FILL)(images[:1].repeat(12, 1, 1, 1), draws())
    assert len({image.numpy().tobytes() for image in got}) > 6


def test_uncovered_pixels_have_the_fill_colour():
    white = torch.full((12, 32, 16, 3), 255, dtype=torch.uint8)
    colours = {tuple(pixel) for pixel in AutoAugment("rand-m10-n2-p1", FILL)(white, draws()).view(-1, 3).tolist()}
    assert (102, 128, 153) in colours


@pytest.mark.parametrize("policy", ["rand-m0-n5-p1", "rand-m10-n5-p1-inc1", "v0", "v0r", "originalr", "3a"])
def test_policies_accept_all_draws_and_magnitudes(images, policy):
    change = AutoAugment(policy, FILL)
    for seed in range(20):
        change(images, draws(seed))


@pytest.mark.parametrize("policy", ["rnad-m7", "rand-x3", "rand-m", "originol", "augmix-m3", ""])
def test_unknown_policies_are_refused(policy):
    with pytest.raises(
        ReidopsError, match=r"auto_augment is '.*', expected RandAugment, such as rand-m7-n2 .* original"
    ):
        check_policy(policy)
