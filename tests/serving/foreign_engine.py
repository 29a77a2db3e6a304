"""Write an ONNX file that no execution provider of this machine can run."""

from pathlib import Path

import onnx


def write_engine(path: Path) -> None:
    """Write the frame of a TensorRT engine, whose only operator belongs to that provider."""
    images, embeddings = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2]) for name in ("images", "embeddings")
    )
    engine = onnx.helper.make_node("EPContext", ["images"], ["embeddings"], domain="com.microsoft")
    graph = onnx.helper.make_graph([engine], "engine", [images], [embeddings])
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
