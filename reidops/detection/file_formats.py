"""Recognise the files of detectors by their suffix; only ONNX is read."""

from pathlib import Path

from reidops.errors import ReidopsError

_ONNX = ".onnx"
_FROM_TORCH = "yolo export model={name} format=onnx (ultralytics), or torch.onnx.export"
_FROM_TENSORFLOW = "python -m tf2onnx.convert"
_FROM_SOURCE = "use the ONNX file that it was built from, or export the model again"
_WAYS = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".safetensors", ".torchscript"), _FROM_TORCH),
    **dict.fromkeys((".pb", ".h5", ".keras"), _FROM_TENSORFLOW),
    **dict.fromkeys((".engine", ".trt", ".plan", ".xml", ".bin", ".tflite", ".mlpackage", ".weights"), _FROM_SOURCE),
}


def is_onnx(path: Path) -> bool:
    """Return whether a path has the suffix of an ONNX file, in any case."""
    return path.suffix.lower() == _ONNX


def refuse_other_formats(path: Path) -> None:
    """Check that a source of detections is not the file of a detector in another format than ONNX.

    Raises:
        ReidopsError: the suffix is that of such a file; the message says how to export it.
    """
    way = _WAYS.get(path.suffix.lower())
    if way:
        raise ReidopsError(
            f"{path}: {path.suffix} is the file of a detector, and detectors are read as ONNX; export it: "
            f"{way.format(name=path.name)}"
        )
