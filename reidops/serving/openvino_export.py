"""Write OpenVINO files of an ONNX model (extra `openvino`)."""

import logging
from pathlib import Path

import numpy as np
import openvino

from reidops.serving.quantization import split_batches


def save_openvino(source: Path, target: Path) -> None:
    """Write an ONNX model as OpenVINO's, with weights in float32."""
    openvino.save_model(openvino.convert_model(source), target, compress_to_fp16=False)


def save_openvino_int8(source: Path, target: Path, images: np.ndarray) -> None:
    """Write an ONNX model as OpenVINO's in int8; NNCF finds the scales on images, RGB uint8 [N, height, width, 3]."""
    # NNCF imports torch and takes seconds, and a float32 file does not need it.
    import nncf

    nncf.set_log_level(logging.ERROR)
    batches = split_batches(images)
    preset = nncf.QuantizationPreset.MIXED  # asymmetric activations, symmetric weights
    model = openvino.convert_model(source)
    rounded = nncf.quantize(model, nncf.Dataset(batches), preset=preset, subset_size=len(batches))
    openvino.save_model(rounded, target, compress_to_fp16=False)
