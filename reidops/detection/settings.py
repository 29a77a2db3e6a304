"""Settings of person detectors. The import is cheap, because every stage checks all params before it runs."""

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
    """Settings of torchvision and ONNX detectors.

    The defaults are used by `reidops track`; the pipeline takes all values from params.yaml.
    """

    weights: str | None = Field(
        default=None,
        description="File of a state dict for a torchvision detector, relative to the repository. null: the published "
        "weights (COCO), which are downloaded once.",
    )
    min_confidence: Share = Field(default=0.1, description="Least confidence of a detection that is kept.")
    nms: Share = Field(
        default=0.7,
        description="IoU above which non-maximum suppression removes the less confident of two boxes. For ONNX files "
        "whose network does not do it.",
    )
    person_class: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Number of the class person in an ONNX file. null: by the class names in the metadata of the file, "
        "else 1 among labels, 0 among the classes of YOLO.",
    )
    layout: Layout = Field(
        default="auto",
        description="Layout of the outputs of an ONNX file; docs/your-models.md describes them.",
    )
    size: tuple[Side, Side] | None = Field(
        default=None,
        description="Input size [height, width] of an ONNX file with a free input size, px. null: the size in the "
        "metadata of the file, else the size of the frame.",
    )
    white: Annotated[float, Field(gt=0)] = Field(
        default=1.0, description="Value of a white pixel in the input of an ONNX file, 1 or 255."
    )
    colours: Literal["rgb", "bgr"] = Field(
        default="rgb", description="Order of the colour channels in the input of an ONNX file."
    )
