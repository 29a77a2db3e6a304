"""Build the optimizer and the learning rate schedule with timm."""

import difflib
import inspect
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from timm.optim import (
    create_optimizer_v2,
    get_optimizer_class,
    list_optimizers,
    param_groups_layer_decay,
    param_groups_weight_decay,
)
from timm.scheduler import CosineLRScheduler, MultiStepLRScheduler
from timm.scheduler.scheduler import Scheduler
from torch import nn
from torch.optim import Optimizer

from reidops.embedding.network import TrainingNetwork
from reidops.errors import ReidopsError

_WARMUP_START = 0.01  # fraction of the learning rate
_NO_OPTIONS = ("self", "params", "lr", "weight_decay")  # arguments of an optimizer that have their own params


@dataclass(frozen=True)
class RateCurve:
    """The learning rate curve: a linear warm-up from 1 % of the rate, then the curve `name`, updated every step.

    Args:
        name: cosine, or step (the rate is multiplied by `step_factor` at each milestone).
        warmup_epochs: may be a fraction; ignored if the training is not longer than the warm-up.
        warmup_steps: steps of the warm-up, instead of warmup_epochs.
        flat_epochs: epochs, including the warm-up, before the cosine begins; 0 = the cosine begins at the start and the
            warm-up replaces its first part.
        final_share: final learning rate of a cosine, as a fraction of the learning rate.
        milestones: epochs of the step curve.
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
    layer_decay: float = 1.0,
) -> Optimizer:
    """Return timm's optimizer of that name; biases and normalization layers have no weight decay.

    Args:
        losses: losses with parameters that are also optimized.
        options: options of the optimizer, such as amsgrad, betas, eps, momentum.
        head_factor: learning rate of all modules except the backbone, as a multiple of the backbone's rate.
        layer_decay: factor of the learning rate from each layer of the backbone to the one before it.

    Raises:
        ReidopsError: the name or an option is unknown (similar names are suggested), or a value is invalid.
    """
    check_optimizer(name, options or {})
    everything = nn.ModuleList([network, *([losses] if losses is not None else [])])
    own_groups = partial(_groups, network, losses, weight_decay, head_factor=head_factor, layer_decay=layer_decay)
    grouped = None if head_factor == layer_decay == 1 else lambda _: own_groups()
    try:
        return create_optimizer_v2(
            everything, opt=name, lr=learning_rate, weight_decay=weight_decay, param_group_fn=grouped, **(options or {})
        )
    except (TypeError, ValueError) as error:
        raise ReidopsError(
            f"the optimizer {name!r} cannot be built with the options {dict(options or {})}: {error}; correct "
            "train.optimizer_options"
        ) from None


def check_optimizer(name: str, options: Mapping[str, Any]) -> None:
    """Check that timm has the optimizer and that it accepts the options.

    Raises:
        ReidopsError: the name or an option is unknown; similar names are suggested.
    """
    known = list_optimizers()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
        raise ReidopsError(f"timm has no optimizer {name!r}; similar names: {', '.join(near) or 'adamw, adam, sgd'}")
    taken = [
        n for n in inspect.signature(get_optimizer_class(name, bind_defaults=False)).parameters if n not in _NO_OPTIONS
    ]
    for option in options:
        if option not in taken:
            near = difflib.get_close_matches(option, taken, n=3, cutoff=0.5) or taken
            raise ReidopsError(f"the optimizer {name!r} has no option {option!r}; similar options: {', '.join(near)}")


def build_schedule(optimizer: Optimizer, curve: RateCurve, epochs: int, steps_per_epoch: int) -> Scheduler:
    """Return the schedule; call its `step_update` with the number of each optimizer step.

    Raises:
        ReidopsError: the milestones are not strictly increasing.
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
    """The cosine schedule of timm, delayed by `flat` steps."""

    def __init__(self, optimizer: Optimizer, num_steps: int, flat: int, *, warmup_t: int, **rest: Any) -> None:
        self._wait = flat - warmup_t
        # If the training ends before the cosine begins, the rate stays constant.
        super().__init__(optimizer, t_initial=max(num_steps - flat, 1), warmup_t=warmup_t, warmup_prefix=True, **rest)

    def _get_lr(self, t: int) -> list[float]:
        return super()._get_lr(t if t < self.warmup_t else max(t - self._wait, self.warmup_t))


def _milestones(curve: RateCurve, steps_per_epoch: int) -> list[int]:
    """Return the milestones in steps, plus 1 because timm changes the rate one step before its milestone."""
    if list(curve.milestones) != sorted(set(curve.milestones)):
        raise ReidopsError(f"the milestones are {list(curve.milestones)}, expected strictly increasing epochs")
    return [round(epoch * steps_per_epoch) + 1 for epoch in curve.milestones]


def _groups(
    network: TrainingNetwork, losses: nn.Module | None, weight_decay: float, *, head_factor: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Return parameter groups with and without weight decay, of the backbone's layers and of the head.

    The schedule multiplies the learning rate of a group by its `lr_scale`.
    """
    children = (*network.embedding.named_children(), *network.named_children(), ("losses", losses))
    head = nn.ModuleList([m for name, m in children if name not in ("backbone", "embedding") and m is not None])
    head_groups = [group | {"lr_scale": head_factor} for group in param_groups_weight_decay(head, weight_decay)]
    groups = [_backbone_groups(backbone, weight_decay, layer_decay) for backbone in network.embedding.backbones]
    return [*itertools.chain.from_iterable(groups), *head_groups]


def _backbone_groups(backbone: nn.Module, weight_decay: float, layer_decay: float) -> list[dict[str, Any]]:
    """Return the groups of the backbone: two, or two for each layer with its own rate."""
    if layer_decay == 1:
        return param_groups_weight_decay(backbone, weight_decay)
    kept = backbone.no_weight_decay() if hasattr(backbone, "no_weight_decay") else ()
    return param_groups_layer_decay(backbone, weight_decay, no_weight_decay_list=kept, layer_decay=layer_decay)
