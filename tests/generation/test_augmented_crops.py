"""reidops/generation/augmentation.py: random changes through which gradients pass."""

import torch

from reidops.generation.augmentation import augment

CROPS = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def augmented(crops: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return augment(crops, torch.Generator().manual_seed(seed))


def test_each_crop_is_changed_by_values_of_its_own_and_equal_draws_change_equally():
    same = augmented(CROPS[:1].expand(6, -1, -1, -1))
    assert len({row.numpy().tobytes() for row in same}) == 6
    assert torch.equal(augmented(CROPS), augmented(CROPS)) and not torch.equal(augmented(CROPS), augmented(CROPS, 1))


def test_brightness_and_saturation_change_within_their_limits():
    colours = torch.tensor([0.5, 0.1, -0.3])[:, None, None].expand(200, 3, 16, 16)
    changed = augmented(colours)[:, :, 0, 0]
    brightness, saturation = changed.mean(dim=1) - 0.1, (changed[:, 0] - changed[:, 2]) / 0.8
    assert 0.2 < brightness.abs().max() <= 0.25 + 1e-6
    assert 0.5 - 1e-6 <= saturation.min() < 0.6 and 1.4 < saturation.max() <= 1.5 + 1e-6


def test_a_shift_repeats_the_edge_and_moves_the_rest():
    column = torch.arange(16.0)
    crops = (column[:, None] * 100 + column).expand(200, 3, 16, 16)
    places = augmented(crops)[:, 0] - augmented(torch.zeros_like(crops))[:, 0]
    shifts = (places[:, 8, 8] - 808).round().int()
    found = {(int(row), int(right)) for shift in shifts for row, right in [divmod(int(shift) + 2, 100)]}
    assert {row for row, _ in found} == {-2, -1, 0, 1, 2} and {right - 2 for _, right in found} == {-2, -1, 0, 1, 2}
    for place, shift in zip(places, shifts, strict=True):
        down, right = divmod(int(shift) + 2, 100)
        rows, columns = (column + down).clamp(0, 15), (column + right - 2).clamp(0, 15)
        torch.testing.assert_close(place, rows[:, None] * 100 + columns, atol=1e-2, rtol=0)


def test_gradients_reach_the_crops():
    crops = CROPS.clone().requires_grad_()
    augmented(crops).sum().backward()
    assert (crops.grad.flatten(1).abs().sum(dim=1) > 0).all()
