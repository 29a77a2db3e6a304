"""reidops/training/precision.py: `auto` depends only on the hardware support of the device."""

import os
import subprocess
import sys

import pytest
import torch

from reidops.training.precision import (
    choose_precision,
    cpu_computes_in_bf16,
    measure_bf16_slowdown,
)

REPORT = "from reidops.training.precision import cpu_computes_in_bf16; print(cpu_computes_in_bf16())"


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes torch report a machine with given vector and bf16 instructions."""
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)

    def report(
        capability: str, *, avx2: bool = True, onednn_bf16: bool = True, avx512_bf16: bool = False, amx: bool = False
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
        monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: avx2)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn_bf16)

    return report


@pytest.mark.parametrize(
    ("capability", "facts", "expected"),
    [
        ("AVX2", {"onednn_bf16": False}, "32-true"),
        ("AVX512", {}, "32-true"),  # Skylake to Ice Lake: oneDNN emulates bf16 with AVX-512
        ("AVX512", {"avx512_bf16": True}, "bf16-mixed"),
        ("AVX512", {"avx512_bf16": True, "amx": True}, "bf16-mixed"),
        ("AVX2", {"avx512_bf16": True, "amx": True}, "32-true"),  # ATEN_CPU_CAPABILITY=avx2
        ("DEFAULT", {"avx2": False}, "bf16-mixed"),  # Arm with its BF16 extension
        ("DEFAULT", {"avx2": False, "onednn_bf16": False}, "32-true"),
    ],
)
def test_a_cpu_trains_in_bf16_only_if_it_supports_it(machine, capability, facts, expected):
    machine(capability, **facts)
    assert choose_precision("auto") == expected


@pytest.mark.parametrize("limit", ["AVX2", "avx2", "AVX512_CORE", "AVX512_CORE_VNNI"])
def test_a_limit_of_onednn_below_bf16_is_respected(machine, monkeypatch, limit):
    machine("AVX512", avx512_bf16=True)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert choose_precision("auto") == "32-true"


@pytest.mark.parametrize("limit", ["", "ALL", "DEFAULT", "AVX512_CORE_BF16", "AVX512_CORE_AMX"])
def test_a_limit_of_onednn_that_allows_bf16_changes_nothing(machine, monkeypatch, limit):
    machine("AVX512", avx512_bf16=True)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert choose_precision("auto") == "bf16-mixed"


@pytest.mark.parametrize(("computes_in_bf16", "expected"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_a_gpu_trains_in_bf16_if_it_supports_it_and_else_in_fp16(monkeypatch, computes_in_bf16, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: computes_in_bf16)
    assert choose_precision("auto") == expected


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_an_explicit_precision_is_used(precision):
    assert choose_precision(precision) == precision


@pytest.mark.slow
def test_this_machine_limited_to_avx2_has_no_bf16():
    """torch and oneDNN read the limits in a new process, so this holds on every processor."""
    limits = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    found = subprocess.run(
        [sys.executable, "-c", REPORT], env=os.environ | limits, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"


@pytest.mark.skipif(
    cpu_computes_in_bf16(), reason="this CPU computes in bf16, where the factor may be on either side of 1"
)
def test_emulated_bf16_is_measured_to_be_slower():
    assert measure_bf16_slowdown(seconds=0.05) > 1.5
