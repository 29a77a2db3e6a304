"""reidops/training/recolouring.py: colour changes agree with their definitions per pixel."""

import colorsys

import numpy as np
import pytest
import torch

from reidops.training.draws import Draws
from reidops.training.recolouring import ColourJitter, Greying

LUMA = np.array([0.299, 0.587, 0.114])


class Fixed(Draws):
    """Draws that always return the same fraction between low and high."""

    def __init__(self, num_images: int, share: float) -> None:
        self._num, self._share = num_images, share

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.full((self._num, *shape), low + self._share * (high - low))


@pytest.fixture
def images() -> torch.Tensor:
    """Return images of medium colours, which stay within 0 … 255 under all changes of these tests."""
    return torch.from_numpy(np.random.default_rng(0).integers(90, 150, (3, 6, 5, 3), np.uint8))


def changed(images: torch.Tensor, share: float, **jitter: float) -> np.ndarray:
    return ColourJitter(**{"brightness": 0.0} | jitter)(images, Fixed(len(images), share)).numpy()


def test_contrast_moves_every_pixel_from_the_images_mean_grey(images):
    for share, factor in ((0.0, 0.7), (1.0, 1.3)):
        for image, got in zip(images.numpy(), changed(images, share, contrast=0.3), strict=True):
            mean_grey = np.mean([LUMA @ pixel for pixel in image.reshape(-1, 3)])
            np.testing.assert_allclose(got, mean_grey + factor * (image - mean_grey), atol=1e-3)


def test_saturation_moves_every_pixel_from_its_own_grey(images):
    for image, got in zip(images.numpy(), changed(images, 0.0, saturation=0.4), strict=True):
        grey = (image @ LUMA)[..., None]
        np.testing.assert_allclose(got, grey + 0.6 * (image - grey), atol=1e-3)


def test_no_saturation_is_grey(images):
    got = changed(images, 0.0, saturation=1.0)
    np.testing.assert_allclose(got, np.repeat((images.numpy() @ LUMA)[..., None], 3, axis=-1), atol=1e-3)


def test_hue_rotates_colours_about_grey_and_keeps_their_brightness(images):
    got = changed(images, 1.0, hue=1 / 3)
    np.testing.assert_allclose(got @ LUMA, images.numpy() @ LUMA, atol=0.1)
    grey = torch.full((1, 2, 2, 3), 120, dtype=torch.uint8)
    np.testing.assert_allclose(changed(grey, 1.0, hue=1 / 3), 120, atol=0.1)


@pytest.mark.parametrize(("share", "sign"), [(1.0, 1), (0.0, -1)])
def test_a_sixth_of_the_circle_rotates_pure_hues_about_as_far_as_hsv(share, sign):
    for rgb in ([140, 100, 100], [100, 140, 100], [100, 100, 140]):
        image = torch.tensor(rgb, dtype=torch.uint8).view(1, 1, 1, 3)
        got = changed(image, share, hue=1 / 6)[0, 0, 0]
        before, after = (colorsys.rgb_to_hsv(*np.array(colour) / 255)[0] for colour in (rgb, got))
        assert abs((sign * (after - before)) % 1 - 1 / 6) < 0.07


def test_all_changes_together_are_brightness_contrast_saturation_and_hue_in_turn(images):
    got = changed(images, 1.0, brightness=0.1, contrast=0.2, saturation=0.3, hue=0.05)
    brighter = images.float() * 1.15  # a tenth for all colours and half a tenth for each
    for image, one in zip(brighter.numpy(), got, strict=True):
        mean_grey = np.mean(image @ LUMA)
        contrasted = mean_grey + 1.2 * (image - mean_grey)
        grey = (contrasted @ LUMA)[..., None]
        saturated = torch.tensor(grey + 1.3 * (contrasted - grey))
        # colorsys rounds YIQ's figures to three places
        np.testing.assert_allclose(one, _turned(saturated, 0.05), atol=0.3)


def _turned(pixels: torch.Tensor, turn: float) -> np.ndarray:
    """Return pixels rotated about the grey axis in YIQ, as defined by `colorsys`."""
    turned = np.empty(pixels.shape)
    for place in np.ndindex(*pixels.shape[:2]):
        y, i, q = colorsys.rgb_to_yiq(*pixels[place].tolist())
        angle = 2 * np.pi * turn
        i, q = i * np.cos(angle) + q * np.sin(angle), q * np.cos(angle) - i * np.sin(angle)
        # colorsys clips to 0 … 1 on the way back, so small values are turned.
        turned[place] = np.linalg.solve(_yiq(), [y, i, q])
    return turned


def _yiq() -> np.ndarray:
    return np.array([colorsys.rgb_to_yiq(*unit) for unit in np.eye(3)]).T


def test_colours_are_clipped_once_at_the_end():
    image = torch.tensor([250, 10, 10], dtype=torch.uint8).view(1, 1, 1, 3)
    got = changed(image, 1.0, saturation=1.0)
    assert got.min() == 0 and got.max() == 255


def test_each_image_has_its_own_random_change():
    grey = torch.full((50, 2, 2, 3), 100, dtype=torch.uint8)
    got = ColourJitter(0.2, contrast=0.1)(grey, Draws(torch.Generator().manual_seed(0), 50))
    assert len(set(got[:, 0, 0, 0].tolist())) == 50


def floats(num: int, height: int = 40, width: int = 20) -> torch.Tensor:
    return 255 * torch.rand(num, height, width, 3, generator=torch.Generator().manual_seed(0))


def greyed(images: torch.Tensor, whole: float, local: float) -> torch.Tensor:
    return Greying(whole, local)(images, Draws(torch.Generator().manual_seed(1), len(images)))


def test_grey_of_probability_1_is_the_luma_of_every_pixel():
    images = floats(4)
    expected = (images @ torch.tensor([0.299, 0.587, 0.114]))[..., None].expand_as(images)
    torch.testing.assert_close(greyed(images, 1.0, 0.0), expected)


def test_local_grey_is_one_rectangle_and_the_rest_keeps_its_colour():
    images = floats(100)
    got = greyed(images, 0.0, 1.0)
    changed_pixels = (got != images).any(dim=3)
    shares = []
    for before, after, is_changed in zip(images, got, changed_pixels, strict=True):
        rows, columns = is_changed.any(dim=1).nonzero()[:, 0], is_changed.any(dim=0).nonzero()[:, 0]
        inside = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert is_changed[inside].all()
        torch.testing.assert_close(
            after[inside], (before[inside] @ torch.tensor([0.299, 0.587, 0.114]))[..., None].expand_as(after[inside])
        )
        shares.append(is_changed.float().mean())
    assert 0.01 < min(shares) < 0.06 and 0.3 < max(shares) < 0.45


def test_the_fraction_of_grey_images_equals_the_probabilities():
    images = floats(1000, 8, 8)
    got = greyed(images, 0.1, 0.3)
    is_whole = (got[..., :1] == got).all(dim=(1, 2, 3))
    is_touched = (got != images).flatten(1).any(dim=1)
    assert 0.07 < is_whole.float().mean() < 0.13 and 0.32 < is_touched.float().mean() < 0.42


def test_the_input_images_keep_their_colours():
    images = floats(3)
    before = images.clone()
    greyed(images, 1.0, 1.0)
    assert torch.equal(images, before)
