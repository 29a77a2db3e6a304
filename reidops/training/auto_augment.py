"""Apply published augmentation policies by their names in timm: RandAugment (rand-m7-n2) and AutoAugment (v0)."""

import itertools
import random
import re

import numpy as np
import torch
from PIL import Image
from timm.data.auto_augment import AugmentOp, RandAugment, auto_augment_transform, rand_augment_transform
from torch import Tensor

from reidops.errors import ReidopsError
from reidops.training.draws import Draws, preserved_global_generators

_POLICIES = ("v0", "v0r", "original", "originalr", "3a")
_RAND = r"rand(-(m\d+(\.\d+)?|n\d+|p\d+(\.\d+)?|mstd\d+(\.\d+)?|mmax\d+|inc[01]))*"
_AUTO = rf"({'|'.join(_POLICIES)})(-mstd\d+(\.\d+)?)?"


class AutoAugment:
    """Apply a policy of timm to each image.

    Args:
        policy: rand with its settings (-m magnitude 0 … 10, -n operations, -mstd, -inc1, …), or the name of an
            AutoAugment policy.
        fill: RGB in 0 … 1 of the pixels that a rotated or shifted image uncovers.

    Raises:
        ReidopsError: the policy is unknown.
    """

    def __init__(self, policy: str, fill: tuple[float, ...]) -> None:
        check_policy(policy)
        make = rand_augment_transform if policy.startswith("rand") else auto_augment_transform
        self._change = make(policy, {"img_mean": tuple(round(255 * value) for value in fill)})
        for operation in (
            self._change.ops if isinstance(self._change, RandAugment) else itertools.chain(*self._change.policy)
        ):
            _keep_one_bit(operation)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Return the changed images, RGB uint8 [N, H, W, 3]."""
        changed = np.empty(images.shape, np.uint8)
        with preserved_global_generators():
            for i, seed in enumerate(draws.seeds()):
                random.seed(seed)
                np.random.seed(seed)
                changed[i] = self._change(Image.fromarray(images[i].numpy()))
        return torch.from_numpy(changed)


def _keep_one_bit(operation: AugmentOp) -> None:
    """Make a posterization keep at least one bit per colour; timm may choose 0, for which Pillow raises."""
    if operation.name.startswith("Posterize"):
        bits = operation.level_fn
        operation.level_fn = lambda level, hparams: (max(1, bits(level, hparams)[0]),)


def check_policy(policy: str) -> None:
    """Check that timm has the policy.

    Raises:
        ReidopsError: the policy is unknown.
    """
    if not re.fullmatch(f"{_RAND}|{_AUTO}", policy):
        raise ReidopsError(
            f"auto_augment is {policy!r}, expected RandAugment, such as rand-m7-n2 or rand-m9-mstd0.5-inc1, or one of "
            f"{', '.join(_POLICIES)}"
        )
