"""Detectors as their tools export them: the same two people, in every tool's form, come out at the same place."""

import json

import numpy as np
import pytest
from made_detectors import write_detector
from onnx import TensorProto

from reidops.detection.onnx_detector import OnnxDetector
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError

H, W = 96, 160
PICTURE = np.zeros((H, W, 3), np.uint8)
CENTRES = np.array([[30, 50, 20, 60], [100, 40, 24, 70]], np.float32)  # centre x, y, width, height in px
CORNERS = np.concatenate([CENTRES[:, :2] - CENTRES[:, 2:] / 2, CENTRES[:, :2] + CENTRES[:, 2:] / 2], axis=1)
SCORES = np.array([0.9, 0.8], np.float32)
SIDES = np.array([W, H, W, H], np.float32)
CELLS = sum((H // s) * (W // s) for s in (8, 16, 32))
NAMES = {"names": "{0: 'car', 1: 'person', 2: 'dog'}", "stride": "32", "task": "detect"}


def rows(num, *columns, boxes=CENTRES):
    """Return [1, num, 4 + …]: the two boxes with what stands behind them, the rest empty."""
    table = np.zeros((1, num, 4 + len(columns)), np.float32)
    table[0, :2] = np.column_stack([boxes, *[np.broadcast_to(column, 2) for column in columns]])
    return table


def logits(scores, num, columns, person, rest=-9.0):
    table = np.full((1, num, columns), rest, np.float32)
    table[0, :2, person] = np.log(scores / (1 - scores))
    return table


def padded(array, num):
    full = np.zeros((1, num, *array.shape[1:]), array.dtype)
    full[0, : len(array)] = array
    return full


def raw_yolox():
    """Return YOLOX's undecoded rows: the first cell of each of the two coarser grids holds a person."""
    table = np.zeros((1, CELLS, 6), np.float32)
    for stride, row, box, score in zip((16, 32), (240, 300), CENTRES, SCORES, strict=True):
        table[0, row] = [*box[:2] / stride, *np.log(box[2:] / stride), score, 1]
    return table


def softmax_logits():
    table = np.full((1, 100, 92), -30, np.float32)
    table[..., 91] = 9
    table[0, :2, 91] = np.log(1 - SCORES)
    table[0, :2, 1] = np.log(SCORES)
    return table


YOLO = [SCORES * 0, SCORES, SCORES * 0]  # cars, people, dogs
BATCHED = {"num_dets": np.array([[2]], np.int32), "det_boxes": padded(CORNERS, 50), "det_scores": padded(SCORES, 50)}
KNOWN = {
    "yolov8": ({"output0": rows(CELLS, SCORES, 0, 0).swapaxes(1, 2)}, {}),
    "yolov8 in half precision": ({"output0": rows(CELLS, SCORES, 0).swapaxes(1, 2).astype(np.float16)}, {}),
    "yolo11 with names": ({"output0": rows(CELLS, *YOLO).swapaxes(1, 2)}, NAMES),
    "yolov8-seg with names": (
        {"output0": rows(CELLS, *YOLO, *[5.0] * 32).swapaxes(1, 2), "output1": np.zeros((1, 32, 24, 40), np.float32)},
        {**NAMES, "task": "segment"},
    ),
    "yolov8 whose names are a list": (
        {"output0": rows(CELLS, 0, SCORES).swapaxes(1, 2)},
        {"names": '["bus", "Person"]'},
    ),
    "yolov5": ({"output0": rows(3 * CELLS, SCORES, *[1] + [0] * 79)}, {}),
    "yolov5 of one class": ({"output0": rows(3 * CELLS, SCORES, 1)}, {"names": "{0: 'head'}"}),
    "yolov5 with its raw maps": (
        {"output0": rows(3 * CELLS, SCORES, 1), "raw": np.zeros((1, 3, 12, 20, 6), np.float32)},
        {},
    ),
    "yolov5 with names": ({"output0": rows(3 * CELLS, 1, *YOLO)}, NAMES),
    "yolox": ({"output": rows(CELLS, SCORES, 1)}, {}),
    "yolox not decoded": ({"output": raw_yolox()}, {}),
    "yolov7 end to end": (
        {"output": np.column_stack([[0, 0], CORNERS, [0, 0], SCORES]).astype(np.float32)},
        {},
    ),
    "yolov8 with its rows first": ({"output": rows(CELLS, *YOLO)}, NAMES),
    "yolov10": ({"output0": rows(30, SCORES, 0, boxes=CORNERS)}, {}),
    "yolov10 with names": ({"output0": rows(30, SCORES, 1, boxes=CORNERS)}, NAMES),
    "rt-detr of ultralytics": ({"output0": rows(30, *YOLO, boxes=CENTRES / SIDES)}, NAMES),
    "rt-detr of ultralytics, two classes": (
        {"output0": rows(30, 0, SCORES, boxes=CENTRES / SIDES)},
        {"names": "{0: 'bicycle', 1: 'pedestrian'}"},
    ),
    "rt-detr of one class": ({"output0": rows(30, SCORES, boxes=CENTRES / SIDES)}, {}),
    "rt-detr of transformers": (
        {"logits": logits(SCORES, 30, 80, 0), "pred_boxes": rows(30, boxes=CENTRES / SIDES)},
        {},
    ),
    "detr": ({"logits": softmax_logits(), "pred_boxes": rows(100, boxes=CENTRES / SIDES)}, {}),
    "rf-detr": ({"dets": rows(30, boxes=CENTRES / SIDES), "labels": logits(SCORES, 30, 91, 1)}, {}),
    "yolo-nas": (
        {"boxes": rows(CELLS, boxes=CORNERS), "scores": padded(np.column_stack([SCORES, SCORES / 9]), CELLS)},
        {},
    ),
    "torchvision": ({"boxes": CORNERS, "labels": np.array([1, 1]), "scores": SCORES}, {}),
    "mask r-cnn": (
        {"b": CORNERS, "l": np.array([1, 1]), "s": SCORES, "masks": np.zeros((2, 1, H, W), np.float32)},
        {},
    ),
    "four boxes of a batch": (
        {"boxes": padded(CORNERS, 4), "scores": padded(SCORES, 4), "labels": padded(np.array([1, 1]), 4)},
        {},
    ),
    "normalised boxes": ({"boxes": CORNERS / SIDES, "scores": SCORES, "labels": np.array([1, 1])}, {}),
    "efficient nms": ({**BATCHED, "det_classes": np.zeros((1, 50), np.int32)}, {}),
    "mmdeploy": ({"dets": padded(np.column_stack([CORNERS, SCORES]), 20), "labels": np.zeros((1, 20), np.int64)}, {}),
    "labels by name": (
        {"boxes": CORNERS, "scores": SCORES, "labels": np.array([1, 1])},
        {"names": json.dumps({"0": "car", "1": "person"})},
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_every_tools_export_finds_the_same_people(tmp_path, name):
    outputs, metadata = KNOWN[name]
    path = write_detector(tmp_path / "d.onnx", outputs, size=(H, W), metadata=metadata)
    people = OnnxDetector(path).detect(PICTURE)
    np.testing.assert_allclose(people.xyxy, CORNERS, atol=0.1)
    np.testing.assert_allclose(people.confidence, SCORES, atol=1e-3)


@pytest.mark.parametrize(
    "form", [{"kind": TensorProto.FLOAT16}, {"batch": (4,)}, {"batch": ("b",), "size": ("h", "w")}]
)
def test_half_precision_and_any_batch_change_no_box(tmp_path, form):
    num = form.get("batch", (1,))[0]
    output = np.repeat(KNOWN["yolov8"][0]["output0"], num if isinstance(num, int) else 1, axis=0)
    path = write_detector(tmp_path / "d.onnx", {"output0": output}, **{"size": (H, W)} | form)
    np.testing.assert_allclose(OnnxDetector(path).detect(PICTURE).xyxy, CORNERS, atol=1e-3)


def test_a_free_input_has_the_size_that_the_metadata_state(tmp_path):
    outputs = {"output0": rows(CELLS, SCORES, 0, 0).swapaxes(1, 2)}
    path = write_detector(tmp_path / "d.onnx", outputs, size=("h", "w"), metadata={"imgsz": f"[{H}, {W}]"})
    people = OnnxDetector(path).detect(np.zeros((2 * H, 2 * W, 3), np.uint8))
    np.testing.assert_allclose(people.xyxy, 2 * CORNERS, atol=1e-3)


@pytest.mark.parametrize(
    ("outputs", "metadata", "message"),
    [
        (
            {"o": rows(30, *[SCORES] * 9)},
            {},
            r"o \[1, 30, 13\] of float32.*detector.layout.*yolox.*detector.person_class",
        ),
        ({"o": np.zeros((1, 144, 12, 20), np.float32)}, {}, "raw maps"),
        ({"o": np.zeros((1, 1000), np.float32)}, {}, r"o \[1, 1000\].*detector.layout"),
        (
            {"o": rows(CELLS, *YOLO).swapaxes(1, 2)},
            {"names": str(dict(enumerate("abcdefgh")))},
            "8 of its classes|0 of its",
        ),
        (
            {"o": rows(CELLS, *YOLO).swapaxes(1, 2)},
            {"names": "['person', 'people', 'car']"},
            "0 person, 1 people, 2 car",
        ),
        (
            {"o": rows(CELLS, *YOLO).swapaxes(1, 2)},
            {"names": "['person', 'b', 'c', 'd', 'e']"},
            r"\[1, 9, n\].*5 classes",
        ),
        ({"o": rows(CELLS, *YOLO).swapaxes(1, 2)}, {"task": "obb"}, "rotated boxes"),
        ({"boxes": CORNERS, "scores": SCORES, "labels": np.array([0, 0])}, {}, "label.* is 0.*detector.person_class"),
        ({"logits": np.zeros((1, 30, 7), np.float32), "boxes": rows(30)}, {}, "detr|from 0 to 1"),
        (
            {"boxes": CORNERS + 900, "scores": SCORES, "labels": np.array([1, 1])},
            {},
            "outside the frame.*detector.layout",
        ),
        ({"boxes": CORNERS[:, [0, 1, 0, 1]] + 1, "scores": SCORES}, {}, "at most 2 px wide or high"),
        ({"boxes": np.tile(CORNERS, (600, 1)), "scores": np.tile(SCORES, 600)}, {}, "1,200 boxes in one frame"),
        ({"o": rows(CELLS, SCORES * 9, 0).swapaxes(1, 2)}, {}, "scores are 0 … 8.1"),
        ({"o": rows(CELLS, SCORES, 0, boxes=CENTRES * np.nan).swapaxes(1, 2)}, {}, "NaN or infinite"),
    ],
)
def test_what_is_not_recognised_is_refused_with_the_remedy(tmp_path, outputs, metadata, message):
    path = write_detector(tmp_path / "d.onnx", outputs, size=(H, W), metadata=metadata)
    with pytest.raises(ReidopsError, match=f"d.onnx: .*({message})"):
        OnnxDetector(path).detect(PICTURE)


def test_a_class_by_its_number_settles_what_the_names_leave_open(tmp_path):
    outputs = {"o": rows(CELLS, *YOLO).swapaxes(1, 2)}
    path = write_detector(tmp_path / "d.onnx", outputs, size=(H, W), metadata={"names": "['a', 'b', 'c']"})
    assert len(OnnxDetector(path, DetectorSettings(person_class=1)).detect(PICTURE)) == 2
    with pytest.raises(ReidopsError, match="person_class is 3, but .* 0 a, 1 b, 2 c"):
        OnnxDetector(path, DetectorSettings(person_class=3))


def test_frames_with_boxes_of_other_classes_only_are_a_warning(tmp_path, caplog):
    outputs = {"o": rows(CELLS, 0, SCORES).swapaxes(1, 2)}
    detector = OnnxDetector(write_detector(tmp_path / "d.onnx", outputs, size=(H, W)))
    assert sum(len(detector.detect(PICTURE)) for _ in range(12)) == 0
    assert caplog.text.count("set detector.person_class") == 1


def test_an_empty_frame_settles_nothing(tmp_path):
    detector = OnnxDetector(write_detector(tmp_path / "d.onnx", {"o": np.zeros((1, 30, 6), np.float32)}, size=(H, W)))
    assert len(detector.detect(PICTURE)) == 0
