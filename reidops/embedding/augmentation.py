"""Change training images a little, a whole batch at a time, as one generator says."""

import random

import torch
from timm.data.random_erasing import RandomErasing
from torch import Tensor


class Augmentation:
    """Flip, shift, jitter and erase a batch of images; equal generators give equal batches.

    Args:
        flip: probability of a horizontal flip.
        pad: largest shift, as a share of the image's height (10 px of 256 is the field's usual 0.04); what the shift
            uncovers repeats the edge.
        jitter: largest relative change of brightness; single colours change by up to half of it. 0 = none.
        erasing: probability that a rectangle of 2 % to a third of the image is set to the mean colour.
        mean, std: of the network's input, per RGB channel, in 0 … 1.
    """

    def __init__(
        self, *, flip: float, pad: float, jitter: float, erasing: float, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        self.flip, self.pad, self.jitter = flip, pad, jitter
        self._mean, self._std = (255 * torch.tensor(values).view(1, 1, 3) for values in (mean, std))
        self._erase = RandomErasing(erasing, device="cpu") if erasing > 0 else None

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return normalised network inputs, float32 [N, 3, H, W] in channels_last order, of RGB uint8 [N, H, W, 3]."""
        shifted = self._flip_and_shift(images, generator)
        inputs = self._normalise(shifted, generator).permute(0, 3, 1, 2)
        if self._erase is not None:
            _with_python_seed(int(torch.randint(2**31, (), generator=generator)), self._erase, inputs)
        return inputs

    def _flip_and_shift(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Gather rows and columns moved by up to `pad`, columns mirrored where the coin says so."""
        num, height, width, _ = images.shape
        reach = round(self.pad * height)
        shift = torch.randint(-reach, reach + 1, (2, num, 1), generator=generator)
        flipped = torch.rand(num, 1, generator=generator) < self.flip
        columns = torch.arange(width)
        columns = torch.where(flipped, columns.flip(0), columns) + shift[0]
        rows = torch.arange(height) + shift[1]
        lines = torch.arange(num)[:, None] * height + rows.clamp(0, height - 1)
        pixels = lines[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
        return images.view(-1, 3).index_select(0, pixels.view(-1)).view(images.shape)  # four times as fast as three indices

    def _normalise(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return (images · gain − mean) / std, float32 [N, H, W, 3]; the gain is drawn per image and per colour."""
        num, height, width, _ = images.shape
        gain = torch.ones(num, 1, 3)
        if self.jitter > 0:
            gain = gain + self.jitter * (2 * torch.rand(num, 1, 1, generator=generator) - 1)
            gain = gain + self.jitter / 2 * (2 * torch.rand(num, 1, 3, generator=generator) - 1)
        # Whole lines of pixels as the last axis: an axis of three would cost twice the time.
        gain, mean, std = (values.repeat(1, 1, width) for values in (gain, self._mean, self._std))
        lines = images.view(num, height, 3 * width) * gain
        return lines.clamp_(max=255).sub_(mean).div_(std).view(images.shape)


def _with_python_seed(seed: int, erase: RandomErasing, inputs: Tensor) -> None:
    """Erase in place; timm draws from Python's own generator, which is seeded for this call and put back after it."""
    state = random.getstate()
    random.seed(seed)
    try:
        erase(inputs)
    finally:
        random.setstate(state)
