"""Round an ONNX model to fewer bits: float16, or int8 with scales from real crops."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

_BATCH = 8
_LAYERS = ("Conv", "Gemm", "MatMul")


def round_to_float16(source: Path, target: Path) -> None:
    """Write a model whose weights and activations are float16; its input and its embeddings keep their types."""
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)


def round_to_int8(source: Path, target: Path, images: np.ndarray, *, keep_grouped: bool = False) -> list[str]:
    """Write a model whose convolutions and linear layers are int8 (QDQ), and return the layers that keep float32.

    The scales are static: the ranges of the activations on real images, and the ranges of the weights per channel. The
    first convolution keeps float32. Weights have 7 bits, because processors without VNNI add two products of 8 bits in
    16 bits, which overflows.

    Args:
        images: RGB uint8 [N, height, width, 3].
        keep_grouped: whether grouped (depthwise) convolutions keep float32, too; they lose most by rounding.
    """
    with TemporaryDirectory() as scratch, _quiet():
        prepared = Path(scratch) / "prepared.onnx"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        kept = _layers_to_keep(onnx.load(prepared), keep_grouped=keep_grouped)
        quantize_static(
            prepared,
            target,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(_LAYERS),
            nodes_to_exclude=kept,
        )
    return kept


def _layers_to_keep(model: onnx.ModelProto, *, keep_grouped: bool) -> list[str]:
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    grouped = [node for node in convolutions if any(a.name == "group" and a.i > 1 for a in node.attribute)]
    return [node.name for node in [*convolutions[:1], *(grouped if keep_grouped else [])]]


class _Images(CalibrationDataReader):
    """The images in batches, as ONNX Runtime's calibration reads them."""

    def __init__(self, images: np.ndarray) -> None:
        self._batches = iter(split_batches(images))

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch, None = no more."""
        batch = next(self._batches, None)
        return None if batch is None else {"images": batch}


def split_batches(images: np.ndarray) -> Sequence[np.ndarray]:
    """Return images [N, height, width, 3] in batches of at most 8."""
    return [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the lines of the quantization about each of its layers, which it sends to the root logger."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.root.setLevel(level)
