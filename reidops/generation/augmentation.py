"""Random changes of crops before the critic, through which gradients pass (DiffAugment, Zhao et al. 2020).

The critic sees real and generated crops with the same kinds of changes. So it cannot learn the few training crops by
heart, and the generator does not learn the changes.
"""

import torch
from torch import Tensor
from torch.nn import functional

_BRIGHTNESS = 0.25  # largest change, of values in −1 … 1
_SATURATION = 0.5  # largest relative change
_SHIFT_SHARE = 8  # a crop is shifted by at most 1 / 8 of its width


def augment(crops: Tensor, draws: torch.Generator) -> Tensor:
    """Return crops [N, 3, H, W] with random brightness, saturation and shift; the pixels of an edge are repeated."""
    num, _, height, width = crops.shape
    brightness, saturation = (2 * torch.rand(2, num, 1, 1, 1, generator=draws) - 1).to(crops.device)
    crops = crops + _BRIGHTNESS * brightness
    grey = crops.mean(dim=1, keepdim=True)
    crops = grey + (crops - grey) * (1 + _SATURATION * saturation)
    largest = width // _SHIFT_SHARE
    down, right = torch.randint(-largest, largest + 1, (2, num, 1), generator=draws).to(crops.device)
    rows, columns = (torch.arange(size, device=crops.device) + largest for size in (height, width))
    padded = functional.pad(crops, (largest,) * 4, mode="replicate").permute(0, 2, 3, 1)
    numbers = torch.arange(num, device=crops.device)[:, None, None]
    return padded[numbers, (rows + down)[:, :, None], (columns + right)[:, None, :]].permute(0, 3, 1, 2)
