"""Small ONNX detectors with constant outputs, or outputs that count the white pixels of the input."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_detector(
    path: Path,
    outputs: dict[str, np.ndarray],
    *,
    size: tuple[object, object] = (64, 96),
    batch: tuple = (1,),
    kind: int = TensorProto.FLOAT,
    metadata: dict[str, str] | None = None,
    channels_last: bool = False,
) -> Path:
    """Write a detector with constant outputs; each is a constant plus 0 times the mean of the input."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nought"]),
    ]
    constants = {"zero": np.array(0, np.float32)}
    for name, value in outputs.items():
        constants[f"{name}_found"] = value
        nodes.append(helper.make_node("CastLike", ["nought", f"{name}_found"], [f"{name}_nought"]))
        nodes.append(helper.make_node("Add", [f"{name}_found", f"{name}_nought"], [name]))
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), list(value.shape))
        for name, value in outputs.items()
    ]
    shape = [*batch, *size, 3] if channels_last else [*batch, 3, *size]
    return save(path, nodes, constants, infos, shape, kind, metadata)


def write_mean_detector(path: Path) -> Path:
    """Write a detector with one constant box, whose score is the mean of the first channel of the whole input."""
    nodes = [
        helper.make_node("Slice", ["picture", "start", "end", "axis"], ["channel"]),
        helper.make_node("ReduceMean", ["channel"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "one"], ["scores"]),
        helper.make_node("Identity", ["box"], ["boxes"]),
    ]
    constants = {
        "start": np.array([0]),
        "end": np.array([1]),
        "axis": np.array([1]),
        "one": np.array([1]),
        "box": np.array([[8, 12, 17, 20]], np.float32),
    }
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("boxes", [1, 4]), ("scores", [1]))
    ]
    return save(path, nodes, constants, infos, [1, 3, "height", "width"], TensorProto.FLOAT)


def save(
    path: Path,
    nodes: list,
    constants: dict[str, np.ndarray],
    outputs: list,
    shape: list,
    kind: int,
    metadata: dict[str, str] | None = None,
) -> Path:
    picture = helper.make_tensor_value_info("picture", kind, shape)
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "detector", [picture], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path
