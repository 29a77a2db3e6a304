"""Augment batches of training images, with all random values drawn from one generator."""

import random

import torch
from timm.data.random_erasing import RandomErasing
from torch import Tensor

from reidops.training.auto_augment import AutoAugment
from reidops.training.draws import Draws, preserved_global_generators
from reidops.training.recolouring import ColourJitter, Greying, in_cache


class Augmentation:
    """Flip, shift, recolour and erase a batch of images; equal generators give equal batches.

    Args:
        flip: probability of a horizontal flip.
        pad: largest shift, as a fraction of the image's height (0.04 is the common value: 10 px of 256). Uncovered
            pixels repeat the edge.
        jitter: largest relative change of brightness; single colours change by up to half of it. 0 = none.
        contrast, saturation, hue: largest change, see `ColourJitter`.
        grey, local_grey: probability that the image, or a rectangle of it, is converted to grey.
        erasing: probability that a rectangle of 2 % to a third of the image is set to the mean colour.
        auto_augment: a policy of timm, such as rand-m7-n2, applied to each image after flip and shift; None = none.
        mean, std: of the network's input, per RGB channel, in 0 … 1.
    """

    def __init__(
        self,
        *,
        flip: float,
        pad: float,
        jitter: float,
        erasing: float,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        grey: float = 0.0,
        local_grey: float = 0.0,
        auto_augment: str | None = None,
    ) -> None:
        self.flip, self.pad = flip, pad
        self._mean, self._std = (255 * torch.tensor(values).view(1, 1, 3) for values in (mean, std))
        self._policy = AutoAugment(auto_augment, mean) if auto_augment else None
        self._jitter = ColourJitter(jitter, contrast, saturation, hue)
        self._greying = Greying(grey, local_grey) if max(grey, local_grey) > 0 else None
        self._erase = RandomErasing(erasing, device="cpu") if erasing > 0 else None

    def __call__(self, images: Tensor, generator: torch.Generator, *, rank: int = 0, num_ranks: int = 1) -> Tensor:
        """Return normalized network inputs, float32 [N, 3, H, W] in channels_last order, of RGB uint8 [N, H, W, 3].

        With several ranks, each passes its share of the batch and a generator in the same state. The concatenated
        results equal those of one rank for the whole batch.
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
        """Return the images shifted by up to `pad` and randomly flipped, by gathering rows and columns."""
        num, height, width, _ = images.shape
        shift = draws.shifts(round(self.pad * height))[:, :, None]
        flipped = draws.coins(self.flip, 1)
        columns = torch.arange(width)
        columns = torch.where(flipped, columns.flip(0), columns) + shift[0]
        rows = torch.arange(height) + shift[1]
        lines = torch.arange(num)[:, None] * height + rows.clamp(0, height - 1)
        pixels = lines[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
        # index_select is four times as fast as indexing by three tensors.
        return images.view(-1, 3).index_select(0, pixels.view(-1)).view(images.shape)

    def _normalise(self, images: Tensor) -> Tensor:
        """Return (images − mean) / std, computed in place in `images` [N, H, W, 3]."""
        num, height, width, _ = images.shape
        mean, std = (values.repeat(1, 1, width) for values in (self._mean, self._std))
        for chunk in in_cache(images.view(num, height, 3 * width)):
            chunk.sub_(mean).div_(std)
        return images


def _erase_share(erase: RandomErasing, inputs: Tensor, seed: int, num_before: int) -> None:
    """Erase rectangles of this rank's inputs in place.

    The rectangles of the `num_before` images of lower ranks are drawn first, so that the generator is in step.
    """
    with preserved_global_generators():
        random.seed(seed)  # timm draws from Python's global generator
        other_ranks_image = torch.empty_like(inputs[0])
        for _ in range(num_before):
            erase(other_ranks_image)
        erase(inputs)
