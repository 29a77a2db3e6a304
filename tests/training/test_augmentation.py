"""reidops/training/augmentation.py: all random values are drawn from one generator."""

import random

import numpy as np
import pytest
import torch

from reidops.training.augmentation import Augmentation

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)
NOTHING = {"flip": 0.0, "pad": 0.0, "jitter": 0.0, "erasing": 0.0, "mean": MEAN, "std": STD}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (16, 40, 20, 3), np.uint8))


def augment(images: torch.Tensor, seed: int = 0, **changes: float | str) -> torch.Tensor:
    return Augmentation(**NOTHING | changes)(images, torch.Generator().manual_seed(seed))


def normalised(images: torch.Tensor) -> torch.Tensor:
    return (
        (images.permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    ).float()


def test_without_changes_it_only_normalises(images):
    torch.testing.assert_close(augment(images), normalised(images), atol=1e-5, rtol=0)


def test_the_batch_is_channels_last_float32(images):
    inputs = augment(images, pad=0.1, erasing=0.5)
    assert inputs.dtype == torch.float32 and inputs.is_contiguous(memory_format=torch.channels_last)


def test_equal_generators_give_equal_batches_for_any_global_state(images):
    changes = {"flip": 0.5, "pad": 0.1, "jitter": 0.3, "erasing": 0.7}
    first = augment(images, **changes)
    random.seed(99)
    torch.manual_seed(99)
    np.random.seed(99)
    assert torch.equal(first, augment(images, **changes))
    assert not torch.equal(first, augment(images, seed=1, **changes))


EVERYTHING = {
    "flip": 0.5,
    "pad": 0.1,
    "jitter": 0.3,
    "contrast": 0.2,
    "saturation": 0.2,
    "hue": 0.1,
    "grey": 0.2,
    "local_grey": 0.4,
    "erasing": 0.7,
    "auto_augment": "rand-m7-n2",
}


@pytest.mark.parametrize("changes", [{"flip": 0.5, "pad": 0.1, "jitter": 0.3, "erasing": 0.7}, EVERYTHING])
def test_the_concatenated_shares_of_the_ranks_equal_the_batch_of_one_rank(images, changes):
    change = Augmentation(**NOTHING | changes)
    whole = change(images, torch.Generator().manual_seed(0))
    shares = [
        change(images[r * 4 : r * 4 + 4], torch.Generator().manual_seed(0), rank=r, num_ranks=4) for r in range(4)
    ]
    assert torch.equal(torch.cat(shares), whole)


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name != "auto_augment"])
def test_every_augmentation_changes_images_only_if_it_is_enabled(images, name):
    assert not torch.equal(augment(images, **{name: EVERYTHING[name]}), augment(images))


def test_grey_comes_after_the_change_of_colours_and_stays_grey(images):
    inputs = augment(images, jitter=0.5, saturation=0.5, grey=1.0).permute(0, 2, 3, 1) * torch.tensor(
        STD
    ) + torch.tensor(MEAN)
    torch.testing.assert_close(inputs[..., :1].expand_as(inputs), inputs, atol=1e-5, rtol=0)


def test_the_global_generator_of_python_is_unchanged(images):
    random.seed(5)
    expected = random.Random(5).random()
    augment(images, erasing=1.0)
    assert random.random() == expected


def test_a_flip_of_probability_1_mirrors_every_image(images):
    torch.testing.assert_close(augment(images, flip=1.0), normalised(images).flip(3), atol=1e-5, rtol=0)


def test_a_shift_moves_the_whole_image_and_repeats_its_edge(images):
    shifted = augment(images, pad=0.1)  # up to 4 px
    plain = normalised(images)
    for i in range(len(images)):
        padded = torch.nn.functional.pad(plain[i : i + 1], (4, 4, 4, 4), mode="replicate")[0]
        windows = [padded[:, y : y + 40, x : x + 20] for y in range(9) for x in range(9)]
        assert any(torch.allclose(shifted[i], window, atol=1e-5) for window in windows)


def test_erasing_sets_only_rectangles_to_the_mean_colour(images):
    erased, plain = augment(images, erasing=1.0), normalised(images)
    changed = ((erased - plain).abs() > 1e-4).any(dim=1)
    assert (erased[:, 0][changed] == 0).all()
    shares = changed.float().mean(dim=(1, 2))
    assert (shares > 0.005).all() and (shares < 0.36).all()


def test_jitter_scales_brightness_within_its_bounds():
    grey = torch.full((200, 4, 4, 3), 100, dtype=torch.uint8)
    inputs = augment(grey, jitter=0.2).permute(0, 2, 3, 1) * torch.tensor(STD) + torch.tensor(MEAN)
    gains = inputs[:, 0, 0] * 2.55
    assert gains.min() >= 0.7 - 1e-4 and gains.max() <= 1.3 + 1e-4 and gains.std() > 0.05


def test_the_input_images_are_not_modified(images):
    before = images.clone()
    augment(images, flip=1.0, pad=0.1, jitter=0.3, erasing=1.0)
    assert torch.equal(before, images)
