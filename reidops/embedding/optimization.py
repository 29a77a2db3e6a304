"""Optimiser and learning rate schedule, by timm."""

import difflib

from timm.optim import create_optimizer_v2, list_optimizers
from timm.scheduler import create_scheduler_v2
from timm.scheduler.scheduler import Scheduler
from torch import nn
from torch.optim import Optimizer

from reidops.errors import ReidopsError

_WARMUP_START = 0.01  # of the learning rate
_FINAL = 0.001  # of the learning rate


def build_optimizer(network: nn.Module, name: str, learning_rate: float, weight_decay: float) -> Optimizer:
    """Return timm's optimiser of that name; biases and normalisation layers do not decay.

    Raises:
        ReidopsError: the name is unknown; near names are offered.
    """
    known = list_optimizers()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
        raise ReidopsError(f"the optimizer {name!r} is unknown to timm; near: {', '.join(near) or 'adamw, adam, sgd'}")
    return create_optimizer_v2(network, opt=name, lr=learning_rate, weight_decay=weight_decay)


def build_schedule(optimizer: Optimizer, epochs: int, warmup_epochs: int, steps_per_epoch: int) -> Scheduler:
    """Return a linear warm-up, then a cosine to a thousandth, stepped by update; a training shorter than its warm-up gets none."""
    learning_rate = optimizer.param_groups[0]["lr"]
    schedule, _ = create_scheduler_v2(
        optimizer, sched="cosine", num_epochs=epochs, warmup_epochs=warmup_epochs if warmup_epochs < epochs else 0,
        warmup_lr=_WARMUP_START * learning_rate, min_lr=_FINAL * learning_rate, step_on_epochs=False, updates_per_epoch=steps_per_epoch,
    )  # fmt: skip
    return schedule
