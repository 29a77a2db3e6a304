"""reidops/live.py and frame_detections.py: detections, models with their gates and trackers, by name."""

import json
import logging

import numpy as np
import pytest
from drawn_video import HEIGHT, WIDTH, write_drawn_detections
from fake_embedder import FakeEmbedder
from mot_factory import write_mot_sequence

from reidops import live
from reidops.boxes.box_embedding import embed_boxes
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.frame_detections import DetectionFile, open_detections
from reidops.live import Model, changed, choose_gate, load_model, start_tracker

PICTURE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


def boxes(detections, number=3):
    return detections.at(number, PICTURE).xyxy


def test_detections_of_another_resolution_are_scaled_by_a_number_or_by_the_size_of_their_pictures(tmp_path):
    plain = boxes(DetectionFile(write_drawn_detections(tmp_path / "det.txt")))
    large = write_drawn_detections(tmp_path / "large.txt", scale=1.6)
    assert len(plain) == 3
    np.testing.assert_allclose(boxes(DetectionFile(large, scale=1 / 1.6)), plain, atol=1e-3)
    np.testing.assert_allclose(boxes(DetectionFile(large, size=(256, 154))), plain, rtol=0.01, atol=0.3)


def test_frames_without_detections_have_none(tmp_path):
    detections = DetectionFile(write_drawn_detections(tmp_path / "det.txt", num_frames=2))
    assert [len(detections.at(number, PICTURE)) for number in (1, 3, 2)] == [3, 0, 3]


@pytest.mark.parametrize(("scale", "num_warnings"), [(1.0, 0), (3.0, 1)])
def test_boxes_that_cannot_be_of_this_video_are_told_once(tmp_path, caplog, scale, num_warnings):
    detections = DetectionFile(write_drawn_detections(tmp_path / "det.txt", scale=scale))
    with caplog.at_level(logging.WARNING):
        for number in (1, 2):
            detections.at(number, PICTURE)
    message = [record.getMessage() for record in caplog.records]
    assert len(message) == num_warnings
    assert all("outside the picture, 160 × 96 px" in text and "--detections-size" in text for text in message)


def test_public_detections_lie_beside_the_frames(tmp_path):
    folder = write_mot_sequence(tmp_path / "TOY-01")
    for video in (folder, folder / "img1"):
        assert len(boxes(open_detections("public", video, DetectorSettings()))) == 3
    with pytest.raises(ReidopsError, match="det/det.txt: no such file"):
        open_detections("public", tmp_path / "v.avi", DetectorSettings())


def test_a_misspelt_file_of_detections_is_no_detector(tmp_path):
    with pytest.raises(
        ReidopsError, match="dett.txt: no such file; expected detections in MOTChallenge's det.txt format"
    ):
        open_detections(str(tmp_path / "dett.txt"), tmp_path, DetectorSettings())


class Halved(FakeEmbedder):
    """An embedder whose vector tells the width of the crop."""

    def embed(self, crops, batch_size=64):
        return np.array([[crop.shape[1], 0, 0, 0] for crop in crops], np.float32)


def test_boxes_too_small_inside_the_picture_have_no_embedding():
    box_ltrb = np.array([[0, 0, 10, 20], [150, 0, 190, 20], [157, 0, 190, 20], [300, 300, 320, 330]])
    assert embed_boxes(Halved(), PICTURE, box_ltrb)[:, 0].tolist() == [10, 10, 0, 0]
    assert embed_boxes(Halved(), PICTURE, np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize(("place", "gates"), [("model", {"cosine": 0.3}), ("reid", {"cosine": 0.3}), (None, None)])
def test_a_models_gates_lie_in_its_folder_or_in_reid_beside_it(tmp_path, monkeypatch, place, gates):
    monkeypatch.setattr(live, "_load", lambda folder: FakeEmbedder())
    for name in ("model", "reid"):
        (tmp_path / name).mkdir()
    if place:
        (tmp_path / place / "calibration.json").write_text(json.dumps({"weights_sha256": "f" * 64, "gates": gates}))
    assert load_model(str(tmp_path / "model")).gates == gates


def test_gates_of_another_model_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "_load", lambda folder: FakeEmbedder())
    (tmp_path / "calibration.json").write_text(json.dumps({"weights_sha256": "a" * 64, "gates": {"cosine": 0.3}}))
    with pytest.raises(ReidopsError, match="calibrated for the model aaaaaaaaaaaa, and .* holds ffffffffffff"):
        load_model(str(tmp_path))


def test_a_folder_that_is_missing_is_told_and_none_is_no_model(tmp_path):
    assert load_model("none") is None
    with pytest.raises(
        ReidopsError, match="modell: no such folder; expected a model's folder, models:/NAME@ALIAS, or none"
    ):
        load_model(str(tmp_path / "modell"))


@pytest.mark.parametrize(
    ("setting", "tracker", "gate"),
    [
        ("calibrated", "deepsort", 0.3),
        ("calibrated", "strongsort", 0.2),
        ("calibrated", "botsort", 0.1),
        ("calibrated", "sort", None),
        ("published", "botsort", None),
        (0.4, "botsort", 0.4),
        (0.4, "bytetrack", None),
    ],
)
def test_a_gate_is_in_the_trackers_own_cost(setting, tracker, gate):
    model = Model("m", FakeEmbedder(), {"cosine": 0.3, "ema_cosine": 0.2})
    assert choose_gate(setting, tracker, model) == gate
    assert choose_gate(setting, tracker, None) is None


@pytest.mark.parametrize("gates", [None, {}, {"ema_cosine": 0.2}])
def test_a_model_without_a_calibrated_gate_says_what_to_do(gates):
    with pytest.raises(
        ReidopsError,
        match="m: has no calibration.json with gates.cosine, which deepsort needs; .* or give --gate published",
    ):
        choose_gate("calibrated", "deepsort", Model("m", FakeEmbedder(), gates))


def test_settings_are_changed_and_checked_as_in_params():
    assert changed(DetectorSettings(), {"nms": 0.5, "size": [64, 96]}, "detector") == DetectorSettings(
        nms=0.5, size=(64, 96)
    )
    with pytest.raises(ReidopsError, match="command line: detector.nmss is unknown; did you mean `nms`"):
        changed(DetectorSettings(), {"nmss": 0.5}, "detector")
    with pytest.raises(ReidopsError, match="command line: detector.nms is 3"):
        changed(DetectorSettings(), {"nms": 3}, "detector")


def test_constants_of_a_tracker_are_checked():
    with pytest.raises(ReidopsError, match="max_agee"):
        start_tracker("deepsort", None, "none", {"max_agee": 3})
