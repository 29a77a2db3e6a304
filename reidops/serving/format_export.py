"""Write an exported embedder in the formats beside `onnx`."""

import warnings
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnxruntime
import torch
from torch import nn

from reidops.embedding.embedder import Embedder
from reidops.embedding.exported import check_packages
from reidops.embedding.formats import FORMATS, ONNX_MODEL
from reidops.embedding.onnx_session import TENSORRT, choose_providers, session_options
from reidops.serving.quantization import round_to_float16, round_to_int8

MILD = "grouped convolutions in float32"


def write_format(name: str, embedder: Embedder, folder: Path, images: np.ndarray, *, mild: bool = False) -> str:
    """Write a format beside the folder's model.onnx, and return a remark about how it was made.

    Args:
        images: for the scales of int8, RGB uint8 [N, height, width, 3].
        mild: whether `onnx-int8` rounds fewer layers.

    Raises:
        ReidopsError: a package or a provider is not installed.
    """
    check_packages(name)
    source, target = folder / ONNX_MODEL, folder / FORMATS[name].files[0]
    if name == "onnx-fp16":
        round_to_float16(source, target)
    elif name == "onnx-int8":
        kept = round_to_int8(source, target, images, keep_grouped=mild)
        return f"{len(kept)} layers in float32 ({MILD if mild else 'the first'}), {len(images)} crops"
    elif name == "torchscript":
        _save_script(_network(embedder), _example(embedder), target)
    elif name == "torch-export":
        _save_export(_network(embedder), _example(embedder), target)
    elif name == "tensorrt":
        _save_engine(source, target)
    else:
        # Imported here, because OpenVINO is an extra.
        from reidops.serving.openvino_export import save_openvino, save_openvino_int8

        if name == "openvino":
            save_openvino(source, target)
        else:
            save_openvino_int8(source, target, images)
            return f"NNCF, {len(images)} crops"
    return ""


def _network(embedder: Embedder) -> nn.Module:
    return embedder.network.to("cpu", memory_format=torch.contiguous_format).eval()


def _example(embedder: Embedder) -> torch.Tensor:
    return torch.zeros(2, *embedder.input_size, 3, dtype=torch.uint8)


def _save_script(network: nn.Module, example: torch.Tensor, target: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # that TorchScript is deprecated
        script = torch.jit.trace(network, example, check_trace=False)
    _write(partial(torch.jit.save, script), target)


def _save_export(network: nn.Module, example: torch.Tensor, target: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("N", min=1)},))
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # it names the folder of the code
    _write(partial(torch.export.save, program), target)


def _write(save: Callable[[BinaryIO], None], target: Path) -> None:
    """Write what `save` writes into a stream; on a full disk torch would abort the process."""
    stream = BytesIO()
    save(stream)
    target.write_bytes(stream.getvalue())


def _save_engine(source: Path, target: Path) -> None:
    """Write an ONNX file with a TensorRT engine for this GPU, which ONNX Runtime builds (EPContext)."""
    options = session_options(0)
    options.add_session_config_entry("ep.context_enable", "1")
    options.add_session_config_entry("ep.context_embed_mode", "1")
    options.add_session_config_entry("ep.context_file_path", str(target))
    provider = (choose_providers(TENSORRT)[0], {"trt_fp16_enable": "1"})
    onnxruntime.InferenceSession(source, options, providers=[provider])
