"""Run one training on several processes (ranks), one per GPU or on the cores of a CPU, on one or several hosts.

Every rank holds the whole network and computes its share of each batch. Losses and batch normalization are computed on
the whole batch, so that the trained weights do not depend on the number of ranks, except for rounding.
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
    """Yield the Fabric of this rank; start `processes` ranks on this host, unless torchrun has started them.

    Only rank 0 logs messages below the level WARNING.

    Args:
        idle_weights: some weights may have no gradient in some or all steps.

    Raises:
        ReidopsError: this host has fewer GPUs than processes.
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
    """Return the number of processes per host and the number of hosts; None if not started by torchrun."""
    if not torch.distributed.is_torchelastic_launched():
        return None
    return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])


def check_equal_on_all_ranks(fabric: Fabric, value: str, name: str, remedy: str) -> None:
    """Check that all ranks have the same value.

    Raises:
        ReidopsError: the value of this rank differs from that of rank 0.
    """
    first = fabric.broadcast(value) if fabric.world_size > 1 else value
    if value != first:
        raise ReidopsError(f"{name} is {value} on rank {fabric.global_rank} and {first} on rank 0; {remedy}")


def gather(fabric: Fabric, values: Tensor) -> Tensor:
    """Return the concatenated values [n, …] of all ranks, [num_ranks · n, …]; gradients flow back to each rank."""
    if fabric.world_size == 1:
        return values
    gathered = fabric.all_gather(values, sync_grads=values.requires_grad)
    return cast(Tensor, gathered).flatten(0, 1)  # of a tensor it is a tensor


def is_true_anywhere(fabric: Fabric, value: bool) -> bool:
    """Return whether the value is true on any rank; all ranks must call this at the same step."""
    if fabric.world_size == 1:
        return value
    largest = fabric.all_reduce(torch.tensor(float(value), device=fabric.device), reduce_op="max")
    return bool(cast(Tensor, largest) > 0)


def share_gradients(fabric: Fabric, module: nn.Module) -> None:
    """Average the gradients of a module that is not wrapped by DDP, such as a loss with weights."""
    if fabric.world_size > 1:
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.grad = fabric.all_reduce(parameter.grad, reduce_op="mean")


def synchronise_norms(network: nn.Module, fabric: Fabric) -> None:
    """Make every batch normalization of the network compute its statistics over all ranks."""
    if fabric.world_size == 1:
        return
    if fabric.device.type != "cpu":  # torch's SyncBatchNorm supports only GPUs
        convert_sync_batchnorm(network)
        return
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            kind = type(module)
            # Only the class changes; weights and names are kept.
            module.__class__ = type(f"Gathered{kind.__name__}", (_GatheredNorm, kind), {})


class _SumOverRanks(torch.autograd.Function):
    """The sum of the values of all ranks; gradients are summed over all ranks."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:
        """Return the sum of `values` over the ranks."""
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        """Return the sum of the gradients over the ranks."""
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


class _GatheredNorm(_BatchNorm):
    """Batch normalization over all ranks in differentiable operations, for CPUs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs [N, C, …], normalized per channel over all ranks, then scaled and shifted."""
        if not self.training:
            return super().forward(inputs)
        values = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1, *(1 for _ in axes[1:])]
        count = values.numel() // values.shape[1] * torch.distributed.get_world_size()
        mean = _SumOverRanks.apply(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = _SumOverRanks.apply(centred.square().sum(axes)) / count
        self._update_statistics(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        outputs = (centred * scale.view(shape) + self.bias.view(shape)).to(inputs.dtype)
        return self.act(self.drop(outputs)) if isinstance(self, BatchNormAct2d) else outputs

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        if self.num_batches_tracked is not None:  # None in a recomputation
            self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
