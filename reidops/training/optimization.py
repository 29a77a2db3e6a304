"""Optimiser and learning rate schedule, by timm."""

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from timm.optim import create_optimizer_v2, get_optimizer_class, list_optimizers, param_groups_weight_decay
from timm.scheduler import CosineLRScheduler, MultiStepLRScheduler
from timm.scheduler.scheduler import Scheduler
from torch import nn
from torch.optim import Optimizer

from reidops.embedding.network import TrainingNetwork
from reidops.errors import ReidopsError

_WARMUP_START = 0.01  # of the learning rate
_NO_OPTIONS = ("self", "params", "lr", "weight_decay")  # of an optimiser: they are knobs of their own


@dataclass(frozen=True)
class RateCurve:
    """The learning rate over the training: a linear warm-up from a hundredth, then what `name` says, stepped by update.

    Args:
        name: cosine, or step: the rate times `step_factor` at each milestone.
        warmup_epochs: may be a fraction; a training that is not longer than its warm-up gets none.
        warmup_steps: updates of the warm-up, in place of warmup_epochs.
        flat_epochs: epochs, warm-up included, before a cosine begins; 0 = it counts from the start, the warm-up cut out
            of it.
        final_share: of the learning rate, where a cosine ends.
        milestones: epochs (step).
    """

    name: Literal["cosine", "step"] = "cosine"
    warmup_epochs: float = 0
    warmup_steps: int | None = None
    flat_epochs: float = 0
    final_share: float = 0.001
    milestones: tuple[float, ...] = ()
    step_factor: float = 0.1


def build_optimizer(
    network: TrainingNetwork,
    name: str,
    learning_rate: float,
    weight_decay: float,
    *,
    losses: nn.Module | None = None,
    options: Mapping[str, Any] | None = None,
    head_factor: float = 1.0,
) -> Optimizer:
    """Return timm's optimiser of that name; biases and normalisation layers do not decay.

    Args:
        losses: their parameters are learnt, too.
        options: of the optimiser itself, such as amsgrad, betas, eps, momentum.
        head_factor: learning rate of all that is not the backbone, as a multiple of the backbone's.

    Raises:
        ReidopsError: the name or an option is unknown (near names are offered), or an option's value is none that can
            be.
    """
    check_optimizer(name, options or {})
    everything = nn.ModuleList([network, *([losses] if losses is not None else [])])
    grouped = None if head_factor == 1 else lambda _: _groups(network, losses, weight_decay, head_factor)
    try:
        return create_optimizer_v2(
            everything, opt=name, lr=learning_rate, weight_decay=weight_decay, param_group_fn=grouped, **(options or {})
        )
    except (TypeError, ValueError) as error:
        raise ReidopsError(
            f"the optimizer {name!r} with the options {dict(options or {})} cannot be made: {error}"
        ) from None


def check_optimizer(name: str, options: Mapping[str, Any]) -> None:
    """Find out whether timm has an optimiser of that name and whether it takes these options.

    Raises:
        ReidopsError: it has none, or it does not; near names are offered.
    """
    known = list_optimizers()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
        raise ReidopsError(f"the optimizer {name!r} is unknown to timm; near: {', '.join(near) or 'adamw, adam, sgd'}")
    taken = [
        n for n in inspect.signature(get_optimizer_class(name, bind_defaults=False)).parameters if n not in _NO_OPTIONS
    ]
    for option in options:
        if option not in taken:
            near = difflib.get_close_matches(option, taken, n=3, cutoff=0.5) or taken
            raise ReidopsError(f"the optimizer {name!r} takes no option {option!r}; near: {', '.join(near)}")


def build_schedule(optimizer: Optimizer, curve: RateCurve, epochs: int, steps_per_epoch: int) -> Scheduler:
    """Return the schedule, to be told each update's number; `steps_per_epoch` counts updates.

    Raises:
        ReidopsError: the milestones do not rise.
    """
    num_steps = epochs * steps_per_epoch
    warmup = round(curve.warmup_epochs * steps_per_epoch) if curve.warmup_steps is None else curve.warmup_steps
    warmup = warmup if warmup < num_steps else 0
    learning_rate = optimizer.param_groups[0]["lr"]
    start = {"warmup_t": warmup, "warmup_lr_init": _WARMUP_START * learning_rate, "t_in_epochs": False}
    if curve.name == "step":
        milestones = _milestones(curve, steps_per_epoch)
        return MultiStepLRScheduler(
            optimizer, decay_t=milestones, decay_rate=curve.step_factor, warmup_prefix=False, **start
        )
    final, flat = curve.final_share * learning_rate, round(curve.flat_epochs * steps_per_epoch)
    if flat:
        return _FlatThenCosine(optimizer, num_steps, max(flat, warmup), lr_min=final, **start)
    return CosineLRScheduler(optimizer, t_initial=num_steps, lr_min=final, **start)


class _FlatThenCosine(CosineLRScheduler):
    """timm's cosine, begun `flat` updates late."""

    def __init__(self, optimizer: Optimizer, num_steps: int, flat: int, *, warmup_t: int, **rest: Any) -> None:
        self._wait = flat - warmup_t
        # A training that ends before its cosine begins stays flat.
        super().__init__(optimizer, t_initial=max(num_steps - flat, 1), warmup_t=warmup_t, warmup_prefix=True, **rest)

    def _get_lr(self, t: int) -> list[float]:
        return super()._get_lr(t if t < self.warmup_t else max(t - self._wait, self.warmup_t))


def _milestones(curve: RateCurve, steps_per_epoch: int) -> list[int]:
    """Return them in updates; timm steps one update before the milestone that it is told."""
    if list(curve.milestones) != sorted(set(curve.milestones)):
        raise ReidopsError(f"the milestones are {list(curve.milestones)}, expected epochs in rising order")
    return [round(epoch * steps_per_epoch) + 1 for epoch in curve.milestones]


def _groups(
    network: TrainingNetwork, losses: nn.Module | None, weight_decay: float, head_factor: float
) -> list[dict[str, Any]]:
    """Return timm's groups with and without decay of the backbone and of the head, whose rate the schedule
    multiplies.
    """
    children = (*network.embedding.named_children(), *network.named_children(), ("losses", losses))
    head = nn.ModuleList([m for name, m in children if name not in ("backbone", "embedding") and m is not None])
    head_groups = [group | {"lr_scale": head_factor} for group in param_groups_weight_decay(head, weight_decay)]
    return [*param_groups_weight_decay(network.embedding.backbone, weight_decay), *head_groups]
