import numpy as np
import pytest
from made_detectors import write_detector, write_mean_detector
from onnx import TensorProto

from reidops.detection.detectors import new_detector
from reidops.detection.onnx_detector import OnnxDetector
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError

BOXES = {
    "boxes": np.array([[0, 8, 48, 56], [48, 8, 96, 56], [10, 10, 20, 20]], np.float32),
    "scores": np.array([0.6, 0.9, 0.05], np.float32),
    "labels": np.array([1, 1, 1]),
}
PICTURE = np.zeros((48, 96, 3), np.uint8)  # lies in a 64 × 96 input 8 px lower


def yolo(*rows):
    """Return [1, 6, 40]: boxes of the first of two classes, the rest impossible."""
    boxes = np.zeros((40, 6), np.float32)
    boxes[: len(rows), :5] = rows
    return {"output0": boxes.T[None]}


def test_boxes_come_back_to_the_picture_the_surest_first_and_the_unlikely_are_left_out(tmp_path):
    people = OnnxDetector(write_detector(tmp_path / "d.onnx", BOXES)).detect(PICTURE)
    assert people.xyxy.tolist() == [[48, 0, 96, 48], [0, 0, 48, 48]]
    assert people.confidence == pytest.approx([0.9, 0.6])


def test_a_larger_picture_gets_larger_boxes(tmp_path):
    people = OnnxDetector(write_detector(tmp_path / "d.onnx", BOXES)).detect(np.zeros((480, 960, 3), np.uint8))
    assert people.xyxy.tolist() == [[480, 0, 960, 480], [0, 0, 480, 480]]


@pytest.mark.parametrize(("nms", "num_left"), [(0.7, 2), (0.97, 3)])
def test_of_yolos_doubles_the_surer_one_stays(tmp_path, nms, num_left):
    output = yolo((24, 32, 48, 48, 0.8), (25, 32, 48, 48, 0.9), (72, 32, 20, 20, 0.5))
    people = OnnxDetector(write_detector(tmp_path / "d.onnx", output), DetectorSettings(nms=nms)).detect(PICTURE)
    assert len(people) == num_left
    assert people.xyxy[0].tolist() == [1, 0, 49, 48] and people.confidence[0] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("settings", "mean"),
    [
        ({}, 100 / 255),
        ({"colours": "bgr"}, 20 / 255),
        ({"white": 0.5}, 50 / 255),
        ({"size": (32, 32)}, (100 + 114) / 2 / 255),
    ],
)
def test_pixels_are_rgb_from_0_to_1_or_as_the_settings_say(tmp_path, settings, mean):
    picture = np.full((32, 64, 3), (20, 60, 100), np.uint8)
    detector = OnnxDetector(write_mean_detector(tmp_path / "d.onnx"), DetectorSettings(min_confidence=0, **settings))
    assert detector.detect(picture).confidence[0] == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize(
    "form",
    [
        {"batch": ()},
        {"size": ("h", "w")},
        {"batch": ("n",)},
        {"kind": TensorProto.UINT8},
        {"batch": (2,)},
        {"kind": TensorProto.FLOAT16},
        {"channels_last": True},
        {"batch": ("n",), "size": (-1, -1)},
    ],
)
def test_other_inputs_are_served_too(tmp_path, form):
    assert len(OnnxDetector(write_detector(tmp_path / "d.onnx", BOXES, **form)).detect(PICTURE)) == 2


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"kind": TensorProto.DOUBLE}, r"tensor\(double\); expected .* float32, float16 or uint8"),
        ({"batch": (1, 1)}, r"\[1, 1, 3, 64, 96\]"),
    ],
)
def test_an_input_that_is_no_picture_is_told(tmp_path, form, message):
    with pytest.raises(ReidopsError, match=message):
        OnnxDetector(write_detector(tmp_path / "d.onnx", BOXES, **form))


def test_a_file_that_is_missing_or_no_network_is_told(tmp_path):
    with pytest.raises(ReidopsError, match="missing.onnx: no such file; give the path"):
        new_detector(str(tmp_path / "missing.onnx"))
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(ReidopsError, match="broken.onnx: ONNX Runtime cannot open it"):
        new_detector(str(tmp_path / "broken.onnx"))


def test_strange_outputs_name_the_file(tmp_path):
    path = write_detector(tmp_path / "d.onnx", {"a": np.zeros((2, 3), np.float32)})
    with pytest.raises(ReidopsError, match=r"d.onnx: its outputs are a \[2, 3\] of float32"):
        OnnxDetector(path).detect(PICTURE)
