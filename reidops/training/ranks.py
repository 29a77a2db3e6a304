"""One training on several processes (ranks), one per GPU or sharing a CPU's cores, on one host or on many.

Every rank holds the whole network and sees its share of each batch. Losses and batch normalisation see the whole batch
all the same, so that the same params train the same weights on any number of ranks, but for the last bits.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from timm.layers import convert_sync_batchnorm
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from reidops.errors import ReidopsError
from reidops.training.precision import Precision

_LOGGERS = ("reidops", "stages", "__main__")


@contextmanager
def launched(processes: int, precision: Precision, *, idle_weights: bool = False) -> Iterator[Fabric]:
    """Yield the Fabric of this rank; under torchrun that counts the ranks, else `processes` of them start on this host.

    Only rank 0 speaks: the others log warnings and worse.

    Args:
        idle_weights: there may be weights that get no gradient, for a while or ever.

    Raises:
        ReidopsError: there are fewer GPUs on this host than processes.
    """
    here, hosts = _torchrun() or (processes, 1)
    if torch.cuda.is_available() and here > torch.cuda.device_count():
        raise ReidopsError(
            f"train.processes is {here}, but this host has {torch.cuda.device_count()} GPUs; set it to at most that"
        )
    strategy = DDPStrategy(find_unused_parameters=idle_weights) if here * hosts > 1 else "auto"
    fabric = Fabric(accelerator="auto", devices=here, num_nodes=hosts, strategy=strategy, precision=precision)
    fabric.launch()
    if not fabric.is_global_zero:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield fabric
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _torchrun() -> tuple[int, int] | None:
    """Return the number of processes per host and of hosts, None where torchrun did not start us."""
    if not torch.distributed.is_torchelastic_launched():
        return None
    return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])


def check_equal_on_all_ranks(fabric: Fabric, value: str, name: str, remedy: str) -> None:
    """Check that all ranks hold the same value.

    Raises:
        ReidopsError: this rank's value is not rank 0's.
    """
    first = fabric.broadcast(value) if fabric.world_size > 1 else value
    if value != first:
        raise ReidopsError(f"{name} is {value} on rank {fabric.global_rank} and {first} on rank 0; {remedy}")


def gather(fabric: Fabric, values: Tensor) -> Tensor:
    """Return all ranks' values [n, …] one after the other, [num_ranks · n, …]; gradients go back to where they came
    from.
    """
    if fabric.world_size == 1:
        return values
    gathered = fabric.all_gather(values, sync_grads=values.requires_grad)
    return cast(Tensor, gathered).flatten(0, 1)  # of a tensor it is a tensor


def is_true_anywhere(fabric: Fabric, value: bool) -> bool:
    """Return whether it is true on any rank; all ranks ask at the same step."""
    if fabric.world_size == 1:
        return value
    largest = fabric.all_reduce(torch.tensor(float(value), device=fabric.device), reduce_op="max")
    return bool(cast(Tensor, largest) > 0)


def share_gradients(fabric: Fabric, module: nn.Module) -> None:
    """Average the gradients of a module that no DDP wraps: a loss with weights of its own."""
    if fabric.world_size > 1:
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.grad = fabric.all_reduce(parameter.grad, reduce_op="mean")


def synchronise_norms(network: nn.Module, fabric: Fabric) -> None:
    """Let every batch normalisation of the network take its statistics over all ranks; nothing changes on one rank."""
    if fabric.world_size == 1:
        return
    if fabric.device.type != "cpu":  # torch's own knows GPUs only
        convert_sync_batchnorm(network)
        return
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            kind = type(module)
            # its weights, names and all else stay
            module.__class__ = type(f"Gathered{kind.__name__}", (_GatheredNorm, kind), {})


class _SumOverRanks(torch.autograd.Function):
    """The sum of all ranks' values; what any of them is asked to change by flows back to all."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


class _GatheredNorm(_BatchNorm):
    """Batch normalisation over all ranks in plain, differentiable operations: for CPUs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs [N, C, …] with each channel's mean 0 and variance 1 over all ranks, scaled and shifted as
        learnt.
        """
        if not self.training:
            return super().forward(inputs)
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1, *(1 for _ in axes[1:])]
        count = values.numel() // values.shape[1] * torch.distributed.get_world_size()
        mean = _SumOverRanks.apply(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = _SumOverRanks.apply(centred.square().sum(axes)) / count
        self._note(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        outputs = (centred * scale.view(shape) + self.bias.view(shape)).to(inputs.dtype)
        return self.act(self.drop(outputs)) if isinstance(self, BatchNormAct2d) else outputs

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
