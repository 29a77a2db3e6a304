"""Draw random values per image; the values of all ranks together equal those of one rank for the whole batch."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


class Draws:
    """Random values for the images of this rank, from a generator that is in the same state on all ranks.

    Args:
        num_images: number of images of this rank's share of the batch, equal on all ranks.
    """

    def __init__(self, generator: torch.Generator, num_images: int, rank: int = 0, num_ranks: int = 1) -> None:
        self._generator, self._total = generator, num_images * num_ranks
        self._own = slice(rank * num_images, (rank + 1) * num_images)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return [num_images, *shape] in low … high."""
        return low + (high - low) * torch.rand(self._total, *shape, generator=self._generator)[self._own]

    def coins(self, probability: float, *shape: int) -> Tensor:
        """Return bool [num_images, *shape], each True with this probability."""
        return torch.rand(self._total, *shape, generator=self._generator)[self._own] < probability

    def shifts(self, reach: int) -> Tensor:
        """Return integers in −reach … reach, horizontal and vertical, [2, num_images]."""
        return torch.randint(-reach, reach + 1, (2, self._total), generator=self._generator)[:, self._own]

    def seeds(self) -> list[int]:
        """Return a seed for each image."""
        return torch.randint(2**31, (self._total,), generator=self._generator)[self._own].tolist()

    def seed(self) -> int:
        """Return one seed for the whole batch, equal on all ranks."""
        return int(torch.randint(2**31, (), generator=self._generator))


@contextmanager
def preserved_global_generators() -> Iterator[None]:
    """Restore the global generators of Python and numpy afterwards, because timm draws from them."""
    states = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
