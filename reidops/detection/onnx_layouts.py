"""Recognise the layout of an ONNX detector's outputs from their shapes, the class names and the values.

| layout              | outputs                               | a box                          | scores             |
|---------------------|---------------------------------------|--------------------------------|--------------------|
| `boxes`             | boxes [n, 4], scores [n], labels [n]; | left, top, right, bottom       | of the label       |
|                     | or [n, 5] with the score, labels [n]  |                                |                    |
| `end-to-end`        | [1, n, 6]                             | left, top, right, bottom       | score, class       |
| `yolov7-end-to-end` | [n, 7], the first is the image        | left, top, right, bottom       | class, score       |
| `yolov8`            | [1, 4 + C, n]                         | centre x, y, width, height     | C                  |
| `yolox`             | [1, n, 5 + C]; also YOLOv5, v6, v7    | centre x, y, width, height     | objectness, C      |
| `yolox-raw`         | [1, n, 5 + C], n cells of grids       | relative to its cell, sides as | objectness, C      |
|                     |                                       | logarithms                     |                    |
| `rtdetr`            | [1, n, 4 + C]                         | centre x, y, width, height     | C                  |
| `detr`              | boxes [1, n, 4], logits [1, n, C]     | centre x, y, width, height     | C, sigmoid         |
| `detr-softmax`      | boxes [1, n, 4], logits [1, n, C + 1] | centre x, y, width, height     | softmax, the last  |
|                     |                                       |                                | is "no object"     |
| `yolo-nas`          | boxes [1, n, 4], scores [1, n, C]     | left, top, right, bottom       | C                  |

Non-maximum suppression is applied for the layouts whose networks do not do it: `yolov8`, `yolox`, `yolox-raw`,
`yolo-nas`, and `rtdetr` with one row per grid cell. Boxes are in px of the network's input; if none exceeds 2, they are
shares of it. Names and order of the outputs are free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from reidops.detection.settings import Layout
from reidops.errors import ReidopsError

LAYOUTS = tuple(name for name in get_args(Layout) if name != "auto")
NORMALISED_LIMIT = 2.0  # maximum of normalised boxes; boxes in px have larger values
RAW_LIMIT = 16.0  # the logarithm of a side is below it, the widest decoded box of a picture above it
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (16, 32), (4, 8, 16, 32))  # px, of the feature maps of YOLO heads
_ANCHORS = 3  # per cell, in YOLOv5 and v7
_COCO_CLASSES, _COCO_LABELS = 80, 91  # number of classes, and of labels including unused ones
_MASK_FIELDS = 32  # of YOLO's segmentation heads


@dataclass(frozen=True)
class Facts:
    """Known facts about a network besides the values of its outputs; each may be missing."""

    names: Mapping[int, str] = field(default_factory=dict)  # class names by number
    size: tuple[int, int] | None = None  # px, height and width of the input
    output_names: tuple[str, ...] = ()
    counts_from_zero: bool = False  # whether labels count from 0

    @property
    def num_classes(self) -> int | None:
        """Number of named classes, None if no name is known."""
        return len(self.names) or None


@dataclass(frozen=True, eq=False)
class Output:
    """An output for one picture, of float32 or integers."""

    name: str
    values: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.values.shape

    @property
    def is_float(self) -> bool:
        """Whether the values are floating-point numbers."""
        return self.values.dtype.kind == "f"


def recognise(outputs: Sequence[Output], facts: Facts) -> str | None:
    """Return the layout, None if the outputs have no box from which it can be recognised.

    Raises:
        ReidopsError: the outputs fit no layout, or are ambiguous.
    """
    if any(output.values.size == 0 for output in outputs):
        return "boxes" if len(outputs) > 1 else None
    if len(outputs) > 1:
        return _of_several(outputs, facts)
    values = outputs[0].values
    if values.ndim == 2 and values.shape[1] == 7 and not values[:, 0].any():
        return "yolov7-end-to-end"
    plane = plane_of(outputs[0])
    if plane is None:
        raise unlike(
            "auto", outputs, "one that is [1, 4 + C, n], [1, n, 4 + C], [1, n, 5 + C] or [1, n, 6], or several"
        )
    return _of_plane(plane, outputs, facts)


def plane_of(output: Output) -> np.ndarray | None:
    """Return a float output [1, a, b] or [a, b] as [a, b], None for any other."""
    values = output.values
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    return values if values.ndim == 2 and output.is_float else None


def unlike(layout: str, outputs: Sequence[Output], expected: str) -> ReidopsError:
    """Return the error that the outputs do not have a layout, with their shapes and the remedy."""
    shapes = ", ".join(f"{output.name} {list(output.shape)} of {output.values.dtype}".strip() for output in outputs)
    return ReidopsError(
        f"its outputs are {shapes}; layout {layout} expects {expected}; set detector.layout to one of "
        f"{', '.join(LAYOUTS)} (described in reidops/detection/onnx_layouts.py), and detector.person_class to the "
        "number of the class"
    )


def is_dense(num_boxes: int, size: tuple[int, int] | None) -> bool:
    """Return whether there are one or three boxes per cell of the YOLO grids."""
    return bool(grid_strides(num_boxes, size)) or bool(
        num_boxes % _ANCHORS == 0 and grid_strides(num_boxes // _ANCHORS, size)
    )


def grid_strides(num_boxes: int, size: tuple[int, int] | None) -> tuple[int, ...]:
    """Return the strides of the grids with `num_boxes` cells in total, () if there are none."""
    if size is None:
        return ()
    height, width = size
    cells = {strides: sum(-(-height // s) * -(-width // s) for s in strides) for strides in _STRIDES}
    return next((strides for strides, count in cells.items() if count == num_boxes), ())


def _of_several(outputs: Sequence[Output], facts: Facts) -> str:
    planes = [plane for output in outputs if output.values.ndim == 3 and (plane := plane_of(output)) is not None]
    boxes = [plane for plane in planes if plane.shape[1] == 4]
    scores = [plane for plane in planes if plane.shape[1] != 4]
    if len(outputs) != 2 or len(boxes) != 1 or len(scores) != 1 or len(boxes[0]) != len(scores[0]):
        return "boxes"
    if is_dense(len(boxes[0]), facts.size):
        return "yolo-nas"
    if boxes[0].max() > NORMALISED_LIMIT:
        raise unlike("auto", outputs, "with class scores [1, n, C], boxes from 0 to 1 or one per cell of a grid")
    return _detr(scores[0], outputs, facts)


def _detr(logits: np.ndarray, outputs: Sequence[Output], facts: Facts) -> str:
    """Distinguish a softmax over classes and "no object" from independent sigmoids by the number of columns."""
    columns, known = logits.shape[1], facts.num_classes
    if columns > 1 and columns == (known or _COCO_LABELS) + 1:
        return "detr-softmax"
    if columns in (1, known) or (not known and columns in (_COCO_CLASSES, _COCO_LABELS)):
        return "detr"
    raise unlike(
        "auto",
        outputs,
        f"80 or 91 class scores (detr), 92 (detr-softmax) or as many as its names ({known or 'none'}); choose detr or "
        "detr-softmax",
    )


def _of_plane(plane: np.ndarray, outputs: Sequence[Output], facts: Facts) -> str | None:
    """Return the layout of one output [a, b]."""
    num_rows, num_fields = plane.shape
    if num_fields == 6 and num_rows < num_fields and is_end_to_end(plane):
        return "end-to-end"
    if num_rows < num_fields and num_rows >= 5:
        return _fields_first(plane, outputs, facts)
    if num_rows > num_fields >= 5 or num_fields == 6:
        return _rows_first(plane, outputs, facts)
    raise unlike("auto", outputs, "one that is [1, 4 + C, n], [1, n, 4 + C], [1, n, 5 + C] or [1, n, 6], or several")


def _fields_first(plane: np.ndarray, outputs: Sequence[Output], facts: Facts) -> str:
    known = facts.num_classes
    if known and plane.shape[0] < 4 + known:
        raise unlike("auto", outputs, f"[1, {4 + known}, n], as its metadata name {known} classes")
    if known and plane.shape[0] == 5 + known and known > 1:
        raise unlike(
            "auto", outputs, f"[1, {4 + known}, n], as its metadata name {known} classes; transpose its output"
        )
    return "yolov8"


def _rows_first(plane: np.ndarray, outputs: Sequence[Output], facts: Facts) -> str | None:
    (num_rows, num_fields), known = plane.shape, facts.num_classes
    if is_dense(num_rows, facts.size):
        return _dense_rows(plane, outputs, facts)
    if num_fields == 6 and not plane[:, 4:].any():
        return None  # all rows are padding, so that the layout cannot be recognised
    if num_fields == 6 and is_end_to_end(plane):
        return "end-to-end"
    if num_fields == 4 + known if known else num_fields == 4 + _COCO_CLASSES or _is_normalised(plane):
        return "rtdetr"
    if known and num_fields in (5 + known, 5 + known + _MASK_FIELDS):
        return "yolox"
    raise unlike(
        "auto",
        outputs,
        f"metadata that identify {num_rows:,} rows of {num_fields} fields ({known or 'no'} class names found); "
        "[1, n, 5 + C] is yolox, [1, n, 4 + C] rtdetr, [1, n, 6] end-to-end",
    )


def _dense_rows(plane: np.ndarray, outputs: Sequence[Output], facts: Facts) -> str:
    """Return the layout of an output with one or three rows per cell of the grids."""
    num_fields, known = plane.shape[1], facts.num_classes
    if num_fields == 5 or num_fields == 4 + (known or _COCO_CLASSES):
        return "rtdetr"
    if known and num_fields not in (5 + known, 5 + known + _MASK_FIELDS):
        raise unlike("auto", outputs, f"{4 + known} or {5 + known} fields, as its metadata name {known} classes")
    return "yolox-raw" if _is_raw(plane, facts) else "yolox"


def _is_raw(plane: np.ndarray, facts: Facts) -> bool:
    """Return whether boxes are relative to their cells, with sides as logarithms, which are negative or small.

    Decoded sides are never negative, and at least one of them is large; normalised sides are at most 1.
    """
    sides = plane[:, 2:4]
    is_one_each = bool(grid_strides(len(plane), facts.size))
    return is_one_each and bool(sides.min() < 0 or 1 < sides.max() < RAW_LIMIT)


def is_end_to_end(plane: np.ndarray) -> bool:
    """Return whether rows [n, 6] are ordered corners, a score 0 … 1 and an integer class, with a score above 0."""
    corners, score, label = plane[:, :4], plane[:, 4], plane[:, 5]
    filled = score > 0
    return bool(
        filled.any()
        and score.min() >= 0
        and score.max() <= 1
        and (label == label.round()).all()
        and (corners[filled, 2:] >= corners[filled, :2]).all()
    )


def _is_normalised(plane: np.ndarray) -> bool:
    """Return whether the boxes in the first four fields are in 0 … 1 and not all zero."""
    boxes = plane[:, :4]
    return bool(boxes.any() and boxes.max() <= NORMALISED_LIMIT)
