"""Choose the numeric precision of a training by the hardware support of the device.

A processor without bf16 instructions (AVX512_BF16, AMX, Arm's BF16 extension) accepts bf16 tensors but converts every
value, so that convolutions are 15 to 30 times slower than in float32.
"""

import logging
import os
import time
from typing import Final, Literal

import torch
from lightning_fabric import Fabric
from torch import nn

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
log = logging.getLogger(__name__)

AUTO: Final = "auto"
_ONEDNN_LIMITS_WITHOUT_BF16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
"""Values of ONEDNN_MAX_CPU_ISA that disable the bf16 kernels (oneDNN developer guide, "CPU Dispatcher Control")."""


def choose_precision(wanted: Precision | Literal["auto"]) -> Precision:
    """Return `wanted`, or for `auto` the best precision of this machine.

    On a GPU this is `bf16-mixed` if it supports bf16, else `16-mixed`. On a CPU it is `bf16-mixed` if it supports bf16,
    else `32-true`. The convolutions that are slower in bf16 are computed in float32 (`slow_convolutions.py`).
    """
    if wanted != AUTO:
        return wanted
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if torch.backends.mps.is_available() or not cpu_computes_in_bf16():
        return "32-true"
    return "bf16-mixed"


def log_precision(wanted: str, chosen: str, fabric: Fabric) -> None:
    """Log the precision; warn if it is bf16 on a CPU without bf16 instructions."""
    reason = "chosen by train.precision: auto" if wanted == AUTO else "set by train.precision"
    log.info("precision %s on %s (%s)", chosen, fabric.device.type, reason)
    if chosen == "bf16-mixed" and fabric.device.type == "cpu" and fabric.is_global_zero and not cpu_computes_in_bf16():
        log.warning(
            "train.precision is bf16-mixed, but this CPU has no bf16 instructions: a convolution takes %.1f times as "
            "long as in float32; set train.precision to auto or 32-true",
            measure_bf16_slowdown(),
        )


def cpu_computes_in_bf16() -> bool:
    """Return whether torch has fast bf16 kernels on this CPU.

    The environment variables ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA can disable them.
    """
    limits = (os.environ.get(name, "").upper() for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"))
    if any(limit in _ONEDNN_LIMITS_WITHOUT_BF16 for limit in limits):
        return False
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # sufficient on Arm
        return False
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2") and torch.cpu._is_avx2_supported():
        return False
    return (
        not torch.cpu._is_avx2_supported()
        or torch.cpu._is_avx512_bf16_supported()
        or torch.cpu._is_amx_tile_supported()
    )


def measure_bf16_slowdown(seconds: float = 0.3) -> float:
    """Return the time in bf16 ÷ time in float32 of one convolution, forward and backward, on this CPU.

    The measurement takes about a second.
    """
    layer = nn.Conv2d(128, 128, 3, padding=1).to(memory_format=torch.channels_last)
    inputs = torch.ones(16, 128, 12, 6).contiguous(memory_format=torch.channels_last).requires_grad_()

    def run_pass(enabled: bool) -> None:
        """Run the convolution forward and backward; `enabled` = in bf16."""
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            layer(inputs).float().sum().backward()

    def seconds_per_pass(enabled: bool) -> float:
        """Return the mean time of a pass, after one pass that compiles the kernels."""
        run_pass(enabled)  # compiles the kernels
        num_passes, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds or num_passes == 0:
            run_pass(enabled)
            num_passes += 1
        return (time.perf_counter() - started) / num_passes

    return seconds_per_pass(enabled=True) / seconds_per_pass(enabled=False)
