"""Orthogonalize the updates of timm's Muon in the precision of the training."""

from functools import partial

import torch
from lightning_fabric import Fabric
from timm.optim import muon

_newton_schulz = muon.zeropower_via_newtonschulz


def iterate_in_precision_of(fabric: Fabric) -> None:
    """Let Muon compute its Newton-Schulz iterations in float32 unless the training is in bf16.

    timm always takes bfloat16. A CPU without such instructions computes it many times slower than float32. timm has no
    option for it, so its function is replaced, for all optimizers of this process.
    """
    dtype = torch.bfloat16 if fabric.strategy.precision.precision == "bf16-mixed" else torch.float32
    muon.zeropower_via_newtonschulz = partial(_newton_schulz, dtype=dtype)
