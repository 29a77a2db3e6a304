import numpy as np
import pytest

from reidops.detection.onnx_layouts import Facts
from reidops.detection.onnx_outputs import read_outputs
from reidops.errors import ReidopsError

BOXES = np.array([[1, 2, 11, 22], [5, 5, 9, 9]], np.float32)
SCORES = np.array([0.9, 0.4], np.float32)

FACTS = Facts(size=(64, 64))  # 84 cells


def yolov8(num_boxes=20):
    """Return [1, 4 + 3, n] whose first two boxes are BOXES: the one of class 0, the other of class 2."""
    rows = np.zeros((num_boxes, 7), np.float32)
    rows[0], rows[1] = [6, 12, 10, 20, 0.9, 0.1, 0], [7, 7, 4, 4, 0, 0.1, 0.4]
    return rows.T[None]


def yolox(num_boxes=20):
    """Return [1, n, 5 + 3] of the same boxes, sure to a half that there is something."""
    rows = yolov8(num_boxes)[0].T
    return np.insert(rows, 4, 0.5, axis=1)[None]


@pytest.mark.parametrize("leading", [False, True])
def test_boxes_scores_and_labels_are_told_by_shape_and_type_in_any_order(leading):
    outputs = [np.array([1, 3]), SCORES, BOXES]
    people = read_outputs([array[None] for array in outputs] if leading else outputs, "auto", None)
    assert people.box_ltrb.tolist() == BOXES[:1].tolist() and people.confidence.tolist() == SCORES[:1].tolist()
    assert people.suppressed


def test_without_labels_every_box_is_a_person():
    assert len(read_outputs([BOXES, SCORES], "auto", None).confidence) == 2


def test_no_box_at_all_is_nobody():
    empty = [np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)]
    assert len(read_outputs(empty, "auto", None).confidence) == 0


def test_one_box_is_one_box():
    people = read_outputs([BOXES[:1], SCORES[:1], np.array([1])], "auto", None)
    assert people.box_ltrb.tolist() == BOXES[:1].tolist()


@pytest.mark.parametrize(("output", "first", "other"), [(yolov8(), 0.9, 0.4), (yolox(84), 0.45, 0.2)])
def test_yolo_boxes_have_a_centre_and_the_score_of_the_asked_class(output, first, other):
    people = read_outputs([output], "auto", None, FACTS)
    assert people.box_ltrb[:2].tolist() == BOXES.tolist() and not people.suppressed
    assert people.confidence[:2] == pytest.approx([first, 0])
    assert read_outputs([output], "auto", 2, FACTS).confidence[:2] == pytest.approx([0, other])


def test_end_to_end_rows_hold_corners_score_and_class():
    rows = np.array([[[1, 2, 11, 22, 0.9, 0], [5, 5, 9, 9, 0.4, 2]] + [[0] * 6] * 8], np.float32)
    people = read_outputs([rows], "end-to-end", 2)
    assert people.box_ltrb.tolist() == BOXES[1:].tolist() and people.suppressed


@pytest.mark.parametrize(
    ("outputs", "layout", "message"),
    [
        ([np.zeros((2, 20, 9), np.float32)], "auto", "layout auto expects"),
        ([BOXES, BOXES], "auto", r"layout boxes expects boxes \[n, 4\], scores \[n\]"),
        ([BOXES, SCORES[:1]], "boxes", "layout boxes expects"),
        ([yolov8(), SCORES], "yolov8", r"layout yolov8 expects one, \[1, 4 \+ C, n\]"),
        (
            [BOXES, SCORES * 5],
            "auto",
            "scores are 2 … 4.5, layout boxes expects 0 … 1; export it with the sigmoid",
        ),
        ([BOXES, SCORES * np.nan], "auto", "scores are nan"),
    ],
)
def test_outputs_of_another_kind_are_told(outputs, layout, message):
    with pytest.raises(ReidopsError, match=message):
        read_outputs(outputs, layout, None)


def test_a_class_that_is_not_there_is_told():
    with pytest.raises(ReidopsError, match="person_class is 3, but it has 3 classes; set it to a number in 0 … 2"):
        read_outputs([yolov8()], "auto", 3)


@pytest.mark.parametrize("suffix", ["", ":0"])
def test_boxes_of_tensorflow_have_top_before_left_and_labels_from_1(suffix):
    shares = np.array([[[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]]], np.float32)
    outputs = {
        "detection_anchor_indices": np.array([[5.0, 6.0]], np.float32),
        "detection_boxes": shares,
        "detection_classes": np.array([[1.0, 3.0]], np.float32),
        "detection_scores": SCORES[None],
        "num_detections": np.array([2.0], np.float32),
        "raw_detection_boxes": np.zeros((1, 9, 4), np.float32),
    }
    facts = Facts(size=(64, 64), output_names=tuple(name + suffix for name in outputs))
    people = read_outputs(list(outputs.values()), "auto", None, facts)
    np.testing.assert_allclose(people.box_ltrb, [[0.2, 0.1, 0.4, 0.3]])
    assert people.confidence.tolist() == SCORES[:1].tolist()
