"""Convolutions that a bf16-mixed training on a CPU computes in float32, because their bf16 kernels are slow.

In bf16 the backward pass of a depthwise convolution takes 9 to 64 times as long as in float32 with a stride of 2, and
1.2 to 4 times with a kernel of 5 × 5. With 3 × 3 and stride 1 bf16 is faster. This was measured with AVX512_BF16 only,
not with AMX or on Arm.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FAST_KERNEL, _FAST_STRIDE = (3, 3), (1, 1)
_NAMES = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_DEFAULTS: Mapping[str, Any] = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}


def slow_convolutions_in_float32(fabric: Fabric) -> AbstractContextManager[object]:
    """Return the context for the forward pass of a training step; it does nothing on a GPU and in other precisions."""
    return SlowConvolutionsInFloat32() if _computes_in_bf16_on_cpu(fabric) else nullcontext()


@contextmanager
def slow_modules_in_float32(network: nn.Module, fabric: Fabric) -> Iterator[None]:
    """Within this context compute the slow convolutions of a network in float32, also when `backward` recomputes them.

    A `SlowConvolutionsInFloat32` that is entered before `backward` is off within it, because torch treats `backward` as
    a function of the mode.
    """
    mode, hooks = SlowConvolutionsInFloat32(), []
    for module in network.modules() if _computes_in_bf16_on_cpu(fabric) else ():
        if isinstance(module, nn.Conv2d) and is_slow_in_bf16(module.weight, module.stride, module.groups):
            hooks.append(module.register_forward_pre_hook(lambda *_: _enter(mode)))
            hooks.append(module.register_forward_hook(lambda *_: mode.__exit__(None, None, None), always_call=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _enter(mode: TorchFunctionMode) -> None:
    mode.__enter__()


def _computes_in_bf16_on_cpu(fabric: Fabric) -> bool:
    return fabric.strategy.precision.precision == "bf16-mixed" and fabric.device.type == "cpu"


class SlowConvolutionsInFloat32(TorchFunctionMode):
    """Within CPU autocast compute slow depthwise convolutions in float32; their outputs are of autocast's type."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`, a slow convolution in float32."""
        if func is torch.conv2d and torch.is_autocast_enabled("cpu"):
            named = {**_DEFAULTS, **dict(zip(_NAMES, args, strict=False)), **(kwargs or {})}
            if is_slow_in_bf16(named["weight"], named["stride"], named["groups"]):
                with torch.autocast("cpu", enabled=False):
                    result = func(named.pop("input").float(), **named)
                return result.to(torch.get_autocast_dtype("cpu"))
        return func(*args, **(kwargs or {}))


def is_slow_in_bf16(weight: Tensor, stride: int | Sequence[int], groups: int) -> bool:
    """Return whether a convolution is depthwise and has another kernel than 3 × 3 or another stride than 1."""
    is_depthwise = groups == weight.shape[0] and groups > 1 and weight.shape[1] == 1
    strides = (stride, stride) if isinstance(stride, int) else tuple(stride)
    return is_depthwise and (tuple(weight.shape[2:]) != _FAST_KERNEL or strides != _FAST_STRIDE)
