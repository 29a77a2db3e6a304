"""Open an ONNX file with ONNX Runtime, on chosen execution providers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from reidops.errors import ReidopsError

CPU = "CPUExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
_FASTEST_FIRST = (TENSORRT, "CUDAExecutionProvider", "OpenVINOExecutionProvider", CPU)

NOT_RUNNABLE = (
    faults.EPFail,
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.NotImplemented,
    faults.RuntimeException,
)
"""Raised for an operator or an engine that this ONNX Runtime or this processor does not support."""

Providers = str | Sequence[str]
"""Execution providers of ONNX Runtime: their names, fastest first, or `auto` = those that are installed."""


class CannotRun(ReidopsError):
    """This ONNX Runtime or this processor does not support a model, which is not damaged."""


class OnnxNetwork:
    """An exported network in ONNX Runtime; `threads` 0 = one per core."""

    def __init__(self, path: Path, threads: int = 0, providers: Providers = (CPU,)) -> None:
        self._session = _open(path, threads, choose_providers(providers))

    @property
    def providers(self) -> list[str]:
        """Return the execution providers that run the network, in the order of preference."""
        return self._session.get_providers()

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch, RGB uint8 [N, height, width, 3]."""
        return self._session.run(["embeddings"], {"images": images})[0]


def choose_providers(providers: Providers) -> list[str]:
    """Return the execution providers to open a model with, fastest first.

    Raises:
        ReidopsError: one is not part of the installed ONNX Runtime.
    """
    installed = onnxruntime.get_available_providers()
    if providers == "auto":
        return [name for name in _FASTEST_FIRST if name in installed]
    wanted = [providers] if isinstance(providers, str) else list(providers)
    missing = [name for name in wanted if name not in installed]
    if missing:
        raise ReidopsError(
            f"providers: {', '.join(missing)} is not part of this ONNX Runtime, which has {', '.join(installed)}; "
            'give "auto" for the fastest of them'
        )
    return wanted


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return the options of a session. Waiting threads sleep, so that a tracker can use their cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _open(path: Path, threads: int, providers: list[str]) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; make it with `dvc repro export`")
    try:
        return onnxruntime.InferenceSession(path, session_options(threads), providers=providers)
    except faults.InvalidProtobuf as error:
        raise ReidopsError(
            f"{path}: the ONNX file is damaged ({error}); make it again with `dvc repro -f export`"
        ) from None
    except NOT_RUNNABLE as error:
        raise CannotRun(
            f"{path}: ONNX Runtime cannot open it with {', '.join(providers)} ({str(error).splitlines()[0]}); "
            "export it on a machine of this kind with `dvc repro -f export`, or use another format"
        ) from None
