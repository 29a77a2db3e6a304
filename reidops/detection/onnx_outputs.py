"""Read people from the outputs of an ONNX detector; `onnx_layouts.py` describes the layouts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reidops.detection.onnx_layouts import Facts, Output, grid_strides, is_dense, plane_of, recognise, unlike
from reidops.errors import ReidopsError

# COCO: label 0 of torchvision is the background; YOLO has no background class.
_LABEL_OF_PERSON, _CLASS_OF_PERSON = 1, 0
_TENSORFLOW = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


@dataclass(frozen=True)
class Candidates:
    """Boxes of people [n, 4] in the unit of the network, with scores [n].

    `suppressed` is whether the network removed duplicates; `num_others` is the number of confident boxes of other
    classes.
    """

    box_ltrb: np.ndarray
    confidence: np.ndarray
    suppressed: bool
    num_others: int = 0


NO_CANDIDATES = Candidates(np.zeros((0, 4)), np.zeros(0), suppressed=True)


@dataclass(frozen=True)
class Request:
    """The class of people (None: that of COCO) and the minimum score of boxes that are checked."""

    person_class: int | None
    min_confidence: float = 0.0


def name_outputs(outputs: Sequence[np.ndarray], names: Sequence[str]) -> list[Output]:
    """Return the outputs that may hold boxes, half precision as float32.

    Mask maps and raw maps of a head are left out if there are decoded boxes.

    Raises:
        ReidopsError: there are raw maps only.
    """
    names = [*names, *[""] * (len(outputs) - len(names))]
    named = [Output(name, _plain(values)) for name, values in zip(names, outputs, strict=True)]
    flat = [output for output in named if output.values.ndim < 4]
    if not flat:
        raise unlike("auto", named, "decoded boxes, these are raw maps; export the network with its head's decoding")
    return flat


def _plain(values: np.ndarray) -> np.ndarray:
    """Return floats as float32, and boxes of YOLOv4 [1, n, 1, 4] without their third dimension."""
    values = values[:, :, 0] if values.ndim == 4 and values.shape[2:] == (1, 4) else values
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def read_outputs(
    outputs: Sequence[np.ndarray], layout: str, person_class: int | None, facts: Facts = Facts(), *, least: float = 0.0
) -> Candidates:
    """Return the people in the outputs of a network for one picture.

    Args:
        layout: one of `onnx_layouts.LAYOUTS`, or `auto`.
        person_class: class of people; None: that of COCO.
        least: minimum score of boxes that are checked.

    Raises:
        ReidopsError: the outputs are not of that layout, or the scores are outside 0 … 1.
    """
    named = name_outputs(outputs, facts.output_names)
    known = recognise(named, facts) if layout == "auto" else layout
    return NO_CANDIDATES if known is None else read_layout(named, known, Request(person_class, least), facts)


def read_layout(outputs: Sequence[Output], layout: str, request: Request, facts: Facts) -> Candidates:
    """Return the people in outputs of a known layout.

    Raises:
        ReidopsError: the outputs are not of that layout, or the scores are outside 0 … 1.
    """
    candidates = _READERS[layout](outputs, request, facts)
    confidence = candidates.confidence
    if len(confidence) and not (confidence.min() >= -1e-3 and confidence.max() <= 1 + 1e-3):  # NaN is neither
        raise ReidopsError(
            f"its scores are {confidence.min():.4g} … {confidence.max():.4g}, layout {layout} expects 0 … 1; export it "
            "with the sigmoid inside, or set detector.layout to another layout"
        )
    if not np.isfinite(candidates.box_ltrb[confidence >= request.min_confidence]).all():
        raise ReidopsError("one of its boxes is NaN or infinite, which half precision can cause; export it in float32")
    return candidates


def _read_boxes(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    """Read boxes, scores and labels; a further single integer is the number of filled rows.

    TensorFlow's detection API has fixed output names, boxes with top before left, and labels from 1.
    """
    plain = _without_batch(outputs)
    is_tensorflow = any(_bare(output) == "detection_boxes" for output in plain)
    plain = [output for output in plain if not is_tensorflow or _bare(output) in _TENSORFLOW]
    counts = [output for output in plain if output.values.size == 1 and "num" in output.name.lower()]
    rest = [output for output in plain if output not in counts and "keypoint" not in output.name.lower()]
    boxes, scores, labels = _parts(rest)
    from_zero = bool(counts) or facts.counts_from_zero or any("class" in output.name.lower() for output in labels)
    if len(boxes) == 1 and boxes[0].shape[1] == 5 and not scores:  # mmdeploy's
        boxes, scores, from_zero = [boxes[0][:, :4]], [boxes[0][:, 4]], True
    found = [output.values for output in labels]
    if (len(boxes), len(scores)) != (1, 1) or len(found) > 1 or len({len(p) for p in (*boxes, *scores, *found)}) > 1:
        raise unlike("boxes", outputs, "boxes [n, 4], scores [n] and integer labels [n]")
    if is_tensorflow:
        boxes, from_zero = [boxes[0][:, [1, 0, 3, 2]]], False
    filled = int(counts[0].values.ravel()[0]) if counts else len(scores[0])
    first = _CLASS_OF_PERSON if from_zero else _LABEL_OF_PERSON
    return _labelled(boxes[0][:filled], scores[0][:filled], found[0][:filled] if found else None, request, first)


def _bare(output: Output) -> str:
    return output.name.partition(":")[0]


def _parts(outputs: Sequence[Output]) -> tuple[list[np.ndarray], list[np.ndarray], list[Output]]:
    """Return the outputs that can be boxes [n, 4 or 5], scores [n] and labels [n]."""
    boxes = [o.values for o in outputs if o.is_float and o.values.ndim == 2 and o.shape[1] in (4, 5)]
    vectors = [output for output in outputs if output.values.ndim == 1]
    labels = [output for output in vectors if not output.is_float or _is_label(output.name)]
    return boxes, [output.values for output in vectors if output not in labels], labels


def _without_batch(outputs: Sequence[Output]) -> list[Output]:
    """Return the outputs without a common leading dimension of size 1, and without a trailing one."""
    is_batch = any(output.values.ndim == 3 and output.shape[0] == 1 and output.shape[2] in (4, 5) for output in outputs)
    plain = []
    for output in outputs:
        values = output.values
        is_one_box = not is_batch and values.ndim == 2 and values.shape[1] in (4, 5) and output.is_float
        if values.ndim > 1 and values.shape[0] == 1 and not is_one_box:
            values = values[0]
        plain.append(Output(output.name, values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values))
    return plain


def _is_label(name: str) -> bool:
    return any(word in name.lower() for word in ("label", "class", "cls"))


def _labelled(
    box_ltrb: np.ndarray, confidence: np.ndarray, labels: np.ndarray | None, request: Request, default: int
) -> Candidates:
    """Return the boxes with the label of a person.

    Raises:
        ReidopsError: a label is 0 although label 0 is the background.
    """
    if labels is None:
        return Candidates(box_ltrb, confidence, suppressed=True)
    sure = (confidence >= request.min_confidence) & (confidence > 0)
    if default == _LABEL_OF_PERSON and request.person_class is None and (labels[sure] == 0).any():
        raise ReidopsError(
            "one of its labels is 0, so that label 0 is not the background as in torchvision; set "
            "detector.person_class to the number of the class to track (0 for the classes of COCO)"
        )
    people = labels.round() == (default if request.person_class is None else request.person_class)
    return Candidates(box_ltrb[people], confidence[people], suppressed=True, num_others=int((sure & ~people).sum()))


def _scored(
    box_ltrb: np.ndarray, scores: np.ndarray, request: Request, *, suppressed: bool, default: int = _CLASS_OF_PERSON
) -> Candidates:
    """Return all boxes with their score for the class of a person, given scores [n, C].

    Raises:
        ReidopsError: there is no such class.
    """
    wanted = default if request.person_class is None else request.person_class
    if wanted >= scores.shape[1]:
        raise ReidopsError(
            f"detector.person_class is {wanted}, but it has {scores.shape[1]} classes; set it to a number in 0 … "
            f"{scores.shape[1] - 1}"
        )
    best = scores.max(axis=1, initial=0)
    num_others = int(((best >= max(request.min_confidence, 1e-6)) & (scores[:, wanted] < best)).sum())
    return Candidates(box_ltrb, scores[:, wanted], suppressed=suppressed, num_others=num_others)


def _read_yolov8(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    rows = _only(outputs, "yolov8", "[1, 4 + C, n]", min_fields=5, axis=0).T
    return _scored(_corners(rows[:, :4]), _class_columns(rows, 4, facts), request, suppressed=False)


def _read_yolox(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    rows = _only(outputs, "yolox", "[1, n, 5 + C]", min_fields=6, axis=1)
    scores = rows[:, 4:5] * _class_columns(rows, 5, facts)
    return _scored(_corners(rows[:, :4]), scores, request, suppressed=False)


def _read_yolox_raw(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    rows = _only(outputs, "yolox-raw", "[1, n, 5 + C]", min_fields=6, axis=1)
    strides = grid_strides(len(rows), facts.size)
    if not strides or facts.size is None:
        raise unlike("yolox-raw", outputs, f"one row per cell of the grids of its input {facts.size}")
    boxes = _corners(_decoded(rows[:, :4], *_cells(facts.size, strides)))
    return _scored(boxes, rows[:, 4:5] * _class_columns(rows, 5, facts), request, suppressed=False)


def _read_rtdetr(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    rows = _only(outputs, "rtdetr", "[1, n, 4 + C]", min_fields=5, axis=1)
    scores = _class_columns(rows, 4, facts)
    return _scored(_corners(rows[:, :4]), scores, request, suppressed=not is_dense(len(rows), facts.size))


def _read_end_to_end(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    rows = _only(outputs, "end-to-end", "[1, n, 6]", min_fields=6, axis=1, max_fields=6)
    return _labelled(rows[:, :4], rows[:, 4], rows[:, 5], request, _CLASS_OF_PERSON)


def _read_yolov7_end_to_end(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    rows = _only(outputs, "yolov7-end-to-end", "[n, 7]", min_fields=7, axis=1, max_fields=7)
    rows = rows[rows[:, 0] == 0]  # rows of the first picture of the batch
    return _labelled(rows[:, 1:5], rows[:, 6], rows[:, 5], request, _CLASS_OF_PERSON)


def _read_detr(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    boxes, scores = _boxes_and_scores(outputs, "detr")
    if scores.min(initial=0) < 0 or scores.max(initial=0) > 1:
        scores = 1 / (1 + np.exp(-scores.astype(float)))
    default = _LABEL_OF_PERSON if scores.shape[1] == 91 else _CLASS_OF_PERSON  # the labels of COCO begin at 1
    return _scored(_corners(boxes), scores, request, suppressed=True, default=default)


def _read_detr_softmax(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    boxes, logits = _boxes_and_scores(outputs, "detr-softmax")
    if logits.min(initial=0) < 0 or logits.max(initial=0) > 1:
        powers = np.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
        logits = powers / powers.sum(axis=1, keepdims=True)
    default = _LABEL_OF_PERSON if logits.shape[1] == 92 else _CLASS_OF_PERSON
    return _scored(_corners(boxes), logits[:, :-1], request, suppressed=True, default=default)


def _read_yolo_nas(outputs: Sequence[Output], request: Request, facts: Facts) -> Candidates:
    boxes, scores = _boxes_and_scores(outputs, "yolo-nas")
    return _scored(boxes, scores, request, suppressed=False)


_READERS = {
    "boxes": _read_boxes,
    "end-to-end": _read_end_to_end,
    "yolov7-end-to-end": _read_yolov7_end_to_end,
    "yolov8": _read_yolov8,
    "yolox": _read_yolox,
    "yolox-raw": _read_yolox_raw,
    "rtdetr": _read_rtdetr,
    "detr": _read_detr,
    "detr-softmax": _read_detr_softmax,
    "yolo-nas": _read_yolo_nas,
}


def _only(
    outputs: Sequence[Output], layout: str, expected: str, *, min_fields: int, axis: int, max_fields: int | None = None
) -> np.ndarray:
    """Return the only output without its leading dimension; `axis` is that of a box's fields.

    Unless the number of fields is fixed, an output with more fields than boxes does not fit the layout: its axes are
    swapped.
    """
    plane = plane_of(outputs[0]) if len(outputs) == 1 else None
    if plane is None or plane.shape[axis] < min_fields or (max_fields and plane.shape[axis] > max_fields):
        raise unlike(layout, outputs, f"one, {expected}")
    if not max_fields and 0 < plane.shape[1 - axis] < plane.shape[axis]:
        raise unlike(layout, outputs, f"one, {expected}, with more boxes than fields")
    return plane


def _boxes_and_scores(outputs: Sequence[Output], layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes [n, 4] and scores [n, C] of two outputs."""
    planes = [plane for output in outputs if (plane := plane_of(output)) is not None]
    if len(outputs) != 2 or len(planes) != 2 or len(planes[0]) != len(planes[1]):
        raise unlike(layout, outputs, "boxes [1, n, 4] and scores [1, n, C]")
    boxes = [plane for plane in planes if plane.shape[1] == 4]
    if not boxes:
        raise unlike(layout, outputs, "boxes [1, n, 4] and scores [1, n, C]")
    is_first = planes[0].shape[1] == 4 and (planes[1].shape[1] != 4 or "box" in outputs[0].name.lower())
    return (planes[0], planes[1]) if is_first else (planes[1], planes[0])


def _class_columns(rows: np.ndarray, first: int, facts: Facts) -> np.ndarray:
    """Return the columns of class scores; class names exclude the columns of masks and key points after them."""
    return rows[:, first : first + facts.num_classes] if facts.num_classes else rows[:, first:]


def _cells(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the column and row [n, 2], and the stride [n, 1] in px, of each cell of the grids, row by row."""
    corners, widths = [], []
    for stride in strides:
        rows, columns = np.mgrid[: -(-size[0] // stride), : -(-size[1] // stride)]
        corners.append(np.stack([columns.ravel(), rows.ravel()], axis=1))
        widths.append(np.full((rows.size, 1), stride))
    return np.concatenate(corners), np.concatenate(widths)


def _decoded(raw: np.ndarray, corners: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return (centre x, y, width, height) in px of boxes relative to their cells (YOLOX, section 2.1)."""
    sides = np.exp(np.minimum(raw[:, 2:].astype(float), 20)) * widths
    return np.concatenate([(raw[:, :2] + corners) * widths, sides], axis=1)


def _corners(box_cxcywh: np.ndarray) -> np.ndarray:
    """Return (left, top, right, bottom) of boxes (centre x, centre y, width, height), [n, 4]."""
    centre, half = box_cxcywh[:, :2], box_cxcywh[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1)
