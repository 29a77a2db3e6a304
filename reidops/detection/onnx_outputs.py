"""What the outputs of an ONNX detector mean, by layout. Boxes are in px of the network's input.

| layout       | outputs                             | a box                                          | NMS      |
|--------------|-------------------------------------|------------------------------------------------|----------|
| `boxes`      | boxes [n, 4], scores [n], labels    | left, top, right, bottom; torchvision's export | yes      |
|              | [n] (integers; may be missing)      |                                                |          |
| `yolov8`     | one, [1, 4 + C, n]                  | centre x, y, width, height, C class scores     | no       |
| `yolox`      | one, [1, n, 5 + C], decoded to px   | as yolov8, with an objectness before the       | no       |
|              |                                     | class scores                                   |          |
| `end-to-end` | one, [1, n, 6]                      | left, top, right, bottom, score, class         | yes      |

NMS: whether the network itself suppresses duplicates. The outputs of `boxes` are recognised by their shapes and types;
names and order are free, and each may have a leading dimension of 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reidops.errors import ReidopsError

# COCO's: torchvision counts labels from a background at 0, YOLO's classes have none
_LABEL_OF_PERSON, _CLASS_OF_PERSON = 1, 0


@dataclass(frozen=True)
class Candidates:
    """People that a network proposes: boxes [n, 4] in px of its input, scores [n], and whether it has suppressed
    doubles itself.
    """

    box_ltrb: np.ndarray
    confidence: np.ndarray
    suppressed: bool


def read_outputs(outputs: Sequence[np.ndarray], layout: str, person_class: int | None) -> Candidates:
    """Return the people among the outputs of a network for one picture.

    Args:
        layout: of the table above, or `auto`, which tells it from the shapes.
        person_class: None = COCO's.

    Raises:
        ReidopsError: the outputs are not of that layout, or the scores are outside 0 … 1.
    """
    layout = _tell_layout(outputs) if layout == "auto" else layout
    candidates = _READERS[layout](outputs, person_class)
    confidence = candidates.confidence
    if len(confidence) and not (confidence.min() >= -1e-3 and confidence.max() <= 1 + 1e-3):  # NaN is neither
        raise ReidopsError(
            f"its scores go from {confidence.min():.4g} to {confidence.max():.4g}, layout {layout} expects 0 … 1;"
            " export it with the sigmoid inside, or name another layout"
        )
    return candidates


def _tell_layout(outputs: Sequence[np.ndarray]) -> str:
    if len(outputs) > 1:
        return "boxes"
    shape = outputs[0].shape
    if len(shape) != 3 or shape[0] != 1 or min(shape[1:]) < 5 or shape[1] == shape[2] or shape[2] == 6:
        raise _unlike(
            "auto",
            outputs,
            "one that is [1, 4 + C, n] or [1, n, 5 + C], or several; of [1, n, 6] say yourself: yolox with one class, "
            "or end-to-end",
        )
    return "yolov8" if shape[1] < shape[2] else "yolox"


def _read_boxes(outputs: Sequence[np.ndarray], person_class: int | None) -> Candidates:
    plain = [
        array[0] if array.ndim > 1 and array.shape[0] == 1 and not _is_boxes(array) else array for array in outputs
    ]
    boxes = [array for array in plain if _is_boxes(array)]
    labels = [array for array in plain if array.ndim == 1 and array.dtype.kind in "iu"]
    scores = [array for array in plain if array.ndim == 1 and array.dtype.kind == "f"]
    if (len(boxes), len(scores)) != (1, 1) or len(labels) > 1 or len({len(a) for a in (*boxes, *scores, *labels)}) > 1:
        raise _unlike("boxes", outputs, "boxes [n, 4], scores [n] and, of whole numbers, labels [n]")
    wanted = _LABEL_OF_PERSON if person_class is None else person_class
    people = labels[0] == wanted if labels else np.ones(len(scores[0]), dtype=bool)
    return Candidates(boxes[0][people], scores[0][people], suppressed=True)


def _is_boxes(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.shape[1] == 4 and array.dtype.kind == "f"


def _read_yolov8(outputs: Sequence[np.ndarray], person_class: int | None) -> Candidates:
    rows = _only(outputs, "yolov8", "[1, 4 + C, n]", min_fields=5, axis=1).T
    return Candidates(_corners(rows[:, :4]), rows[:, _column(rows, 4, person_class)], suppressed=False)


def _read_yolox(outputs: Sequence[np.ndarray], person_class: int | None) -> Candidates:
    rows = _only(outputs, "yolox", "[1, n, 5 + C]", min_fields=6, axis=2)
    return Candidates(_corners(rows[:, :4]), rows[:, 4] * rows[:, _column(rows, 5, person_class)], suppressed=False)


def _read_end_to_end(outputs: Sequence[np.ndarray], person_class: int | None) -> Candidates:
    rows = _only(outputs, "end-to-end", "[1, n, 6]", min_fields=6, axis=2)
    people = rows[:, 5].round() == (_CLASS_OF_PERSON if person_class is None else person_class)
    return Candidates(rows[people, :4], rows[people, 4], suppressed=True)


_READERS = {"boxes": _read_boxes, "yolov8": _read_yolov8, "yolox": _read_yolox, "end-to-end": _read_end_to_end}


def _only(outputs: Sequence[np.ndarray], layout: str, expected: str, *, min_fields: int, axis: int) -> np.ndarray:
    """Return the one output without its leading 1; `axis` is that of a box's fields."""
    fits = (
        len(outputs) == 1 and outputs[0].ndim == 3 and outputs[0].shape[0] == 1 and outputs[0].shape[axis] >= min_fields
    )
    if not fits or (layout == "end-to-end" and outputs[0].shape[axis] != min_fields):
        raise _unlike(layout, outputs, f"one, {expected}")
    return outputs[0][0]


def _column(rows: np.ndarray, first: int, person_class: int | None) -> int:
    """Return the column of a person's score."""
    column = first + (_CLASS_OF_PERSON if person_class is None else person_class)
    if column >= rows.shape[1]:
        raise ReidopsError(
            f"person_class is {person_class}, but it has {rows.shape[1] - first} classes, counted from 0"
        )
    return column


def _corners(box_cxcywh: np.ndarray) -> np.ndarray:
    """Return (left, top, right, bottom) of boxes (centre x, centre y, width, height), [n, 4]."""
    centre, half = box_cxcywh[:, :2], box_cxcywh[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _unlike(layout: str, outputs: Sequence[np.ndarray], expected: str) -> ReidopsError:
    shapes = ", ".join(f"{list(array.shape)} of {array.dtype}" for array in outputs)
    return ReidopsError(f"its outputs are {shapes}; layout {layout} expects {expected}")
