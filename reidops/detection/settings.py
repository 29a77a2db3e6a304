"""How a network that detects people is run: light to import, as params.yaml is checked against it before anything
runs.
"""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass

Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1)]


@params_dataclass
class DetectorSettings:
    """Of torchvision's detectors and of ONNX files; the shapes that `layout` names stand in `onnx_outputs.py`."""

    # torchvision: file of a state dict, relative to the repository; null = the published ones (COCO)
    weights: str | None = None
    min_confidence: Share = 0.1  # least score of a box that is kept
    nms: Share = 0.7  # ONNX: IoU; of two boxes above it only the better one stays, where the network leaves that to us
    person_class: Annotated[int, Field(ge=0)] | None = None  # ONNX: null = 1 among labels, 0 among YOLO's classes
    layout: Literal["auto", "boxes", "yolov8", "yolox", "end-to-end"] = "auto"  # ONNX: what its outputs are
    size: tuple[Side, Side] | None = None  # ONNX with a free input: height and width in px; null = the picture's own
    white: Annotated[float, Field(gt=0)] = 1.0  # ONNX: value of a white pixel, 1 or 255
    colours: Literal["rgb", "bgr"] = "rgb"  # ONNX: order of the channels
