"""Recompute the activations of a network's blocks in the backward pass instead of keeping them (Chen et al. 2016).

A training then keeps only the inputs of the blocks, and the activations of the block whose gradient is computed. The
weights are the same; each block is computed twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError

Method = Callable[..., Any]

_REFUSALS = (AssertionError, AttributeError, NotImplementedError)  # of networks of timm that cannot recompute


@contextmanager
def recomputed_activations(network: EmbeddingNetwork, param: str) -> Iterator[None]:
    """Within this context recompute the activations of the backbone's blocks in each backward pass.

    The backward pass needs `kept_statistics`, and `slow_convolutions.slow_modules_in_float32`.

    Args:
        param: the param that asks for it, for the message.

    Raises:
        ReidopsError: the backbone cannot recompute.
    """
    _set_recomputed(network, param, wanted=True)
    try:
        yield
    finally:
        _set_recomputed(network, param, wanted=False)


def check_recomputation(network: EmbeddingNetwork, param: str) -> None:
    """Check that the backbone can recompute its activations.

    Raises:
        ReidopsError: it cannot; the message names it and `param`.
    """
    with recomputed_activations(network, param):
        pass


@contextmanager
def kept_statistics(network: nn.Module) -> Iterator[None]:
    """Within this context keep the running statistics of the normalizations: a recomputation must not add to them.

    The momentum is 0. The running tensors themselves stay, because the recomputation must save as many tensors as the
    forward pass.
    """
    norms = [module for module in network.modules() if isinstance(module, _NormBase)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, num_batches) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, num_batches


def _set_recomputed(network: EmbeddingNetwork, param: str, *, wanted: bool) -> None:
    blocks = [module for module in network.backbone.modules() if hasattr(module, "recomputed")]
    for block in blocks:
        _set_class(block, wanted=wanted)
    if blocks:
        return
    try:
        for backbone in network.backbones:
            backbone.set_grad_checkpointing(wanted)
    except _REFUSALS:
        raise ReidopsError(
            f"{param} is true, but the backbone {network.backbone_name} cannot recompute its activations; set it to "
            "false"
        ) from None


def _set_class(block: nn.Module, *, wanted: bool) -> None:
    """Replace the class of a block, which keeps its weights and names, or restore it."""
    kind = getattr(block, "plain_kind", type(block))
    methods = {name: _recomputing(getattr(kind, name)) for name in block.recomputed}
    block.__class__ = type(f"Recomputed{kind.__name__}", (kind,), methods | {"plain_kind": kind}) if wanted else kind


def _recomputing(method: Method) -> Method:
    """Return the method that keeps its inputs only, and computes the rest again in the backward pass."""

    @wraps(method)
    def recompute(*inputs: Any) -> Any:
        """Call the method; with gradients, keep its inputs only."""
        if not torch.is_grad_enabled():
            return method(*inputs)
        return checkpoint(method, *inputs, use_reentrant=False)

    return recompute
