"""One training on several processes (ranks), one per GPU or sharing a CPU's cores, on one host or on many.

Every rank holds the whole network and sees its share of each batch. Losses and batch normalisation see the whole batch all
the same, so that the same params train the same weights on any number of ranks, but for the last bits.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from timm.layers import convert_sync_batchnorm
from timm.layers.norm_act import SyncBatchNormAct
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

_LOGGERS = ("reidops", "stages", "__main__")


@contextmanager
def launched(processes: int, precision: str) -> Iterator[Fabric]:
    """Yield the Fabric of this rank; under torchrun that counts the ranks, else `processes` of them start on this host.

    Only rank 0 speaks: the others log warnings and worse.
    """
    here, hosts = _torchrun() or (processes, 1)
    # What a step leaves out (frozen layers) gets no gradient; batch statistics are shared at each step, so no buffer needs to be.
    strategy = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False) if here * hosts > 1 else "auto"
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


def gather(fabric: Fabric, values: Tensor) -> Tensor:
    """Return all ranks' values [n, …] one after the other, [num_ranks · n, …]; gradients go back to where they came from."""
    if fabric.world_size == 1:
        return values
    return fabric.all_gather(values, sync_grads=values.requires_grad).flatten(0, 1)


def is_true_anywhere(fabric: Fabric, value: bool) -> bool:
    """Return whether it is true on any rank; all ranks ask at the same step."""
    if fabric.world_size == 1:
        return value
    return bool(fabric.all_reduce(torch.tensor(float(value), device=fabric.device), reduce_op="max") > 0)


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
    convert_sync_batchnorm(network)
    if fabric.device.type == "cpu":  # torch's own knows GPUs only
        for module in network.modules():
            if isinstance(module, nn.SyncBatchNorm):
                module.__class__ = _GatheredNormAct if isinstance(module, SyncBatchNormAct) else _GatheredNorm


class _GatheredNorm(nn.SyncBatchNorm):
    """Batch normalisation over all ranks in plain, differentiable operations: for CPUs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs [N, C, …] with each channel's mean 0 and variance 1 over all ranks, scaled and shifted as learnt."""
        if not self.training:
            return super().forward(inputs)
        values = inputs.float()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1, *(1 for _ in axes[1:])]
        count = values.numel() // values.shape[1] * torch.distributed.get_world_size()
        mean = all_reduce(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = all_reduce(centred.square().sum(axes)) / count
        self._note(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(inputs.dtype)

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class _GatheredNormAct(SyncBatchNormAct, _GatheredNorm):
    """The same with the activation that timm keeps in the layer."""
