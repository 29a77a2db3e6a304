"""reidops/service/sampling.py: pairs of frames are sampled, the log is bounded, and `drift` reads it."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_result import write_result
from mot_factory import write_mot_set
from starlette.testclient import TestClient

from reidops.drift.check import check_drift
from reidops.drift.reference import REFERENCE, write_reference
from reidops.drift.samples import MIN_PAIRS, SUFFIX, find_samples, is_sample_log, read_samples
from reidops.drift.scenes import reference_of_parts
from reidops.errors import ReidopsError
from reidops.mot.sequences import read_detections, read_sequence
from reidops.parts import Part
from reidops.service.application import create_application
from reidops.service.sampling import SampleLog, SampleSettings
from reidops.service.server import new_service
from reidops.service.settings import ServiceSettings
from reidops.serving.onnx_embedder import OnnxEmbedder

PICTURE = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
BOXES, SCORES = np.array([[10.0, 10, 20, 40], [60, 20, 20, 40]]), np.array([0.9, 0.8])


@dataclass
class FakeModel:
    """An embedder of three numbers that counts its crops."""

    weights_sha256: str = "a" * 64
    dim: int = 3
    sizes: list[int] = field(default_factory=list)

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        self.sizes.append(len(crops))
        return np.tile(np.float32([1, 0, 0]), (len(crops), 1))


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def show(
    log: SampleLog, clock: Clock, times: list[float], model: FakeModel, camera: str = "a/../b", *, num_boxes: int = 2
) -> None:
    for time in times:
        clock.now = time
        log.consider(camera, PICTURE, BOXES[:num_boxes], SCORES[:num_boxes], model)


def samples(folder: Path) -> list[Path]:
    return sorted(folder.rglob(f"*{SUFFIX}"))


def test_a_clock_that_is_set_back_does_not_end_the_sampling(tmp_path):
    clock, model = Clock(), FakeModel()
    log = SampleLog(SampleSettings(tmp_path, rate=1.0), clock, lambda: 0.0)
    show(log, clock, [5000.0, 1000.0], model)  # no pair: the time between its frames is unknown
    assert samples(tmp_path) == []
    show(log, clock, [1001.0, 1001.6], model)
    assert len(samples(tmp_path)) == 1


def test_a_pair_is_two_frames_half_a_second_apart(tmp_path):
    clock, model = Clock(), FakeModel()
    log = SampleLog(SampleSettings(tmp_path, rate=1.0), clock, lambda: 0.0)
    show(log, clock, [0.0, 0.1, 0.4, 0.6], model)
    assert len(samples(tmp_path)) == 1 and model.sizes == [4]
    show(log, clock, [1.0, 9.0], model)  # the second frame came too late
    assert len(samples(tmp_path)) == 1
    show(log, clock, [10.0 + 0.6 * i for i in range(2 * MIN_PAIRS)], model)
    (scene,) = read_samples(tmp_path, model.weights_sha256)
    assert scene.scene == "a/../b" and scene.num_frames == 2 * (1 + MIN_PAIRS) and len(scene) == 4 * (1 + MIN_PAIRS)
    assert sorted(set(scene.is_later[scene.pair == 0])) == [False, True] and scene.height.tolist() == [40.0] * len(
        scene
    )


def test_the_rate_decides_how_many_frames_begin_a_pair(tmp_path):
    clock, model = Clock(), FakeModel()
    draws = iter(np.random.default_rng(0).random(100_000))
    log = SampleLog(SampleSettings(tmp_path, rate=0.02), clock, lambda: next(draws))
    show(log, clock, [0.6 * i for i in range(1500)], model)
    assert 15 <= len(samples(tmp_path)) <= 45


def test_the_oldest_samples_are_deleted_beyond_the_bound_also_after_a_restart(tmp_path):
    clock, model = Clock(), FakeModel()
    log = SampleLog(SampleSettings(tmp_path, rate=1.0), clock, lambda: 0.0)
    show(log, clock, [0.0, 0.6], model)
    size = samples(tmp_path)[0].stat().st_size
    again = SampleLog(SampleSettings(tmp_path, rate=1.0, max_bytes=3 * size + size // 2), clock, lambda: 0.0)
    show(again, clock, [10.0 + 0.6 * i for i in range(10)], model)
    assert len(samples(tmp_path)) == 3 and min(int(path.name.split(".")[0]) for path in samples(tmp_path)) > 10_000


def test_samples_of_another_model_are_not_read_and_few_are_named(tmp_path):
    clock = Clock()
    log = SampleLog(SampleSettings(tmp_path, rate=1.0), clock, lambda: 0.0)
    show(log, clock, [0.0, 0.6], FakeModel())
    with pytest.raises(ReidopsError, match="no samples of the model bbbbbbbbbbbb"):
        read_samples(tmp_path, "b" * 64)
    with pytest.raises(ReidopsError, match=r"at least 4 pairs .* found a/\.\./b 1"):
        read_samples(tmp_path, "a" * 64)


def test_a_camera_without_boxes_and_a_deleted_file_are_left_out(tmp_path, monkeypatch):
    clock, times = Clock(), [0.6 * i for i in range(2 * MIN_PAIRS)]
    log = SampleLog(SampleSettings(tmp_path, rate=1.0), clock, lambda: 0.0)
    show(log, clock, times, FakeModel(), "empty", num_boxes=0)
    with pytest.raises(ReidopsError, match="empty have no box"):
        read_samples(tmp_path, "a" * 64)
    show(log, clock, times, FakeModel(), "busy")
    found = [*find_samples(tmp_path, "a" * 64), tmp_path / f"gone{SUFFIX}"]
    monkeypatch.setattr("reidops.drift.samples.find_samples", lambda *_: found)
    assert [scene.scene for scene in read_samples(tmp_path, "a" * 64)] == ["busy"]


def test_a_reload_between_two_frames_makes_no_pair(tmp_path):
    clock = Clock()
    log = SampleLog(SampleSettings(tmp_path, rate=1.0), clock, lambda: 0.0)
    show(log, clock, [0.0], FakeModel())
    show(log, clock, [0.6], FakeModel("b" * 64))
    assert not samples(tmp_path)


def test_a_full_disk_stops_no_request(tmp_path, caplog):
    (tmp_path / "log").write_text("a file where the folder should be")
    clock = Clock()
    log = SampleLog(SampleSettings(tmp_path / "log", rate=1.0), clock, lambda: 0.0)
    show(log, clock, [0.0, 0.6], FakeModel())
    assert "no sample is written" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(("divisor", "is_drift"), [(1, False), (6, True)])
def test_drift_reads_what_the_service_saw(tmp_path, monkeypatch, divisor, is_drift):
    names = tuple(f"TOY-{number:02d}" for number in range(1, 7))
    data = write_result(tmp_path)
    known = write_mot_set(tmp_path / "known", names, num_frames=40)
    parts = [Part("train", "TOY", "mot", known / "train" / name, name, name[-2:], 1, 40) for name in names]
    reference = reference_of_parts(parts, OnnxEmbedder(data / "export", threads=1), 0.3)
    write_reference(reference, data / "reid" / REFERENCE)
    service = new_service(str(data / "export"), ServiceSettings(), 1, SampleSettings(tmp_path / "log", rate=1.0))
    clock = service.samples.clock = Clock()
    fresh = read_sequence(write_mot_set(tmp_path / "fresh", ("TOY-11",), num_frames=40) / "train" / "TOY-11")
    table = read_detections(fresh)
    with TestClient(create_application(service)) as client:
        for frame in range(1, 41):
            clock.now += 1 / fresh.frame_rate
            rows = table[table["frame"] == frame]
            boxes = rows[["left", "top", "width", "height"]].to_numpy(float).tolist()
            picture = cv2.imread(str(next(fresh.folder.glob(f"img1/*{frame:04d}.jpg")))) // divisor
            encoded = cv2.imencode(".png", picture)[1].tobytes()
            detections = f'{{"box_ltwh": {boxes}, "confidence": {rows["confidence"].tolist()}}}'
            parts = {"detections": detections, "options": '{"gate": "published"}'}
            answer = client.post("/track/door", files={"frame": encoded}, data=parts)
            assert answer.status_code == 200, answer.text
    assert is_sample_log(tmp_path / "log")
    comparison = check_drift([tmp_path / "log"], str(data / "export"), tmp_path / "report")
    assert comparison.scenes == ("door",) and comparison.is_drift is is_drift, comparison
    assert ("brightness" in {f.name for f in comparison.findings if f.is_drift}) is is_drift
