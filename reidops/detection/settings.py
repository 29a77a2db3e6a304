"""How a network that detects people is run: light to import, as params.yaml is checked against it before anything
runs.
"""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass

Share = Annotated[float, Field(ge=0, le=1)]
Layout = Literal[
    "auto",
    "boxes",
    "end-to-end",
    "yolov7-end-to-end",
    "yolov8",
    "yolox",
    "yolox-raw",
    "rtdetr",
    "detr",
    "detr-softmax",
    "yolo-nas",
]
Side = Annotated[int, Field(ge=1)]


@params_dataclass
class DetectorSettings:
    """Of torchvision's detectors and of ONNX files; the shapes that `layout` names stand in `onnx_layouts.py`."""

    # torchvision: file of a state dict, relative to the repository; null = the published ones (COCO)
    weights: str | None = None
    min_confidence: Share = 0.1  # least score of a box that is kept
    nms: Share = 0.7  # ONNX: IoU; of two boxes above it only the better one stays, where the network leaves that to us
    # ONNX: null = by the names in its metadata, else 1 among labels, 0 among YOLO's classes
    person_class: Annotated[int, Field(ge=0)] | None = None
    layout: Layout = "auto"  # ONNX: what its outputs are
    # ONNX with a free input: height and width in px; null = the size in its metadata, else the picture's own
    size: tuple[Side, Side] | None = None
    white: Annotated[float, Field(gt=0)] = 1.0  # ONNX: value of a white pixel, 1 or 255
    colours: Literal["rgb", "bgr"] = "rgb"  # ONNX: order of the channels
