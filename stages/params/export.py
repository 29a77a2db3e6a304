"""The section `export` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import AboveZero, Count, Positive, Share

FormatName = Literal[
    "onnx", "onnx-fp16", "onnx-int8", "torchscript", "torch-export", "openvino", "openvino-int8", "tensorrt"
]


@params_dataclass
class ExportParams:
    """The formats of the exported model, and how they are compared with the torch model."""

    formats: list[FormatName] = Field(
        description="Formats to write: onnx (always written), onnx-fp16, onnx-int8, torchscript, torch-export, "
        "openvino, openvino-int8 (extra openvino) and tensorrt. One that fails min_cosine or max_loss is left out."
    )
    tolerance: AboveZero = Field(
        description="Largest difference of any value of a unit embedding between torch and ONNX. More is an error."
    )
    num_crops: Annotated[int, Field(ge=4)] = Field(
        description="Number of held-out crops to compare on. The same number of noise images is added."
    )
    min_cosine: Share = Field(
        description="Least cosine between a held-out crop's embedding in a format beside onnx and that of torch."
    )
    max_loss: Share = Field(description="Largest loss of mAP on the held-out people by a format beside onnx.")
    num_calibration: Positive = Field(
        description="Number of training crops from which the scales of int8 are computed. Test people are never used."
    )
    num_ranked: Positive = Field(
        description="Largest number of held-out crops on which min_cosine and max_loss are checked; whole people are "
        "taken, at least two."
    )
    seed: Count = Field(description="Seed of the noise images and of the choice of crops and people.")
