"""Change training images a little, a whole batch at a time, as one generator says."""

import random

import torch
from timm.data.random_erasing import RandomErasing
from torch import Tensor

from reidops.training.auto_augment import AutoAugment
from reidops.training.draws import Draws, global_generators_kept
from reidops.training.recolouring import ColourJitter, Greying, in_cache


class Augmentation:
    """Flip, shift, recolour and erase a batch of images; equal generators give equal batches.

    Args:
        flip: probability of a horizontal flip.
        pad: largest shift, as a share of the image's height (10 px of 256 is the field's usual 0.04); what the shift
            uncovers repeats the edge.
        jitter: largest relative change of brightness; single colours change by up to half of it. 0 = none.
        contrast, saturation, hue: largest change, see `ColourJitter`.
        grey, local_grey: probability that the image, or a rectangle of it, loses its colour.
        erasing: probability that a rectangle of 2 % to a third of the image is set to the mean colour.
        auto_augment: a policy of timm, such as rand-m7-n2, applied image by image after flip and shift; None = none.
        mean, std: of the network's input, per RGB channel, in 0 … 1.
    """

    def __init__(
        self, *, flip: float, pad: float, jitter: float, erasing: float, mean: tuple[float, ...],
        std: tuple[float, ...],
        contrast: float = 0.0, saturation: float = 0.0, hue: float = 0.0, grey: float = 0.0, local_grey: float = 0.0,
        auto_augment: str | None = None,
    ) -> None:  # fmt: skip
        self.flip, self.pad = flip, pad
        self._mean, self._std = (255 * torch.tensor(values).view(1, 1, 3) for values in (mean, std))
        self._policy = AutoAugment(auto_augment, mean) if auto_augment else None
        self._jitter = ColourJitter(jitter, contrast, saturation, hue)
        self._greying = Greying(grey, local_grey) if max(grey, local_grey) > 0 else None
        self._erase = RandomErasing(erasing, device="cpu") if erasing > 0 else None

    def __call__(self, images: Tensor, generator: torch.Generator, *, rank: int = 0, num_ranks: int = 1) -> Tensor:
        """Return normalised network inputs, float32 [N, 3, H, W] in channels_last order, of RGB uint8 [N, H, W, 3].

        Of several ranks, each gives its share of the batch and a generator that stands alike on all: what they return,
        side by side, is what one rank would return for the whole batch.
        """
        draws = Draws(generator, len(images), rank, num_ranks)
        changed = self._flip_and_shift(images, draws)
        if self._policy is not None:
            changed = self._policy(changed, draws)
        coloured = self._jitter(changed, draws)
        if self._greying is not None:
            coloured = self._greying(coloured, draws)
        inputs = self._normalise(coloured).permute(0, 3, 1, 2)
        if self._erase is not None:
            _erase_share(self._erase, inputs, draws.seed(), num_before=rank * len(images))
        return inputs

    def _flip_and_shift(self, images: Tensor, draws: Draws) -> Tensor:
        """Gather rows and columns moved by up to `pad`, columns mirrored where the coin says so."""
        num, height, width, _ = images.shape
        shift = draws.shifts(round(self.pad * height))[:, :, None]
        flipped = draws.coins(self.flip, 1)
        columns = torch.arange(width)
        columns = torch.where(flipped, columns.flip(0), columns) + shift[0]
        rows = torch.arange(height) + shift[1]
        lines = torch.arange(num)[:, None] * height + rows.clamp(0, height - 1)
        pixels = lines[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
        # four times as fast as three indices
        return images.view(-1, 3).index_select(0, pixels.view(-1)).view(images.shape)

    def _normalise(self, images: Tensor) -> Tensor:
        """Return (images − mean) / std, in the memory of `images` [N, H, W, 3], which nobody else holds."""
        num, height, width, _ = images.shape
        mean, std = (values.repeat(1, 1, width) for values in (self._mean, self._std))
        for part in in_cache(images.view(num, height, 3 * width)):
            part.sub_(mean).div_(std)
        return images


def _erase_share(erase: RandomErasing, inputs: Tensor, seed: int, num_before: int) -> None:
    """Erase in place what is this rank's of the batch; the images of the ranks before it draw their rectangles
    first.
    """
    with global_generators_kept():
        random.seed(seed)  # timm draws from Python's own generator
        foreign = torch.empty_like(inputs[0])
        for _ in range(num_before):
            erase(foreign)
        erase(inputs)
