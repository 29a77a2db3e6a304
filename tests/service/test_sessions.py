"""reidops/service/sessions.py: sessions are bounded, and expire after a silence."""

import numpy as np
import pytest
import supervision as sv

from reidops.service.refusals import Busy, Refused
from reidops.service.served_model import CurrentModel, ServedModel
from reidops.service.sessions import Sessions


class NoEmbedder:
    dim, weights_sha256, is_closed = 4, "f" * 64, False

    def embed(self, crops, batch_size=64):
        return np.tile(np.eye(4, dtype=np.float32)[0], (len(crops), 1))

    def close(self):
        self.is_closed = True


class OneSource:
    current = "1"

    def version(self):
        return self.current

    def load(self, version):
        return ServedModel("m", version, NoEmbedder(), {"cosine": 0.3})


@pytest.fixture
def models() -> CurrentModel:
    """Return version 1."""
    return CurrentModel(OneSource())


def test_a_silent_camera_is_forgotten_and_makes_room(models):
    now = [0.0]
    sessions = Sessions(models, most=1, seconds=10, clock=lambda: now[0])
    first = sessions.find("a", "deepsort")
    with pytest.raises(Busy, match="at most 1 are allowed"):
        sessions.find("b", "deepsort")
    now[0] = 9.0
    assert sessions.find("a", "deepsort") is first
    now[0] = 18.0
    assert len(sessions) == 1
    now[0] = 19.5
    assert len(sessions) == 0
    assert sessions.find("b", "deepsort") is not first


def test_a_replaced_model_is_closed_when_its_last_camera_ends(models):
    source, sessions = models._source, Sessions(models, most=2, seconds=10)
    old = sessions.find("a", "deepsort").model
    source.current = "2"
    assert models.reload() and not old.embedder.is_closed
    sessions.end("a")
    assert old.embedder.is_closed
    assert not models.reload()


def test_a_tracker_without_appearance_needs_no_gate(models):
    session = Sessions(models, most=1, seconds=10).find("a", "sort")
    boxes = sv.Detections(xyxy=np.array([[0.0, 0, 9, 9]]), confidence=np.array([0.9]), class_id=np.array([1]))
    assert len(session.follow(np.zeros((20, 20, 3), np.uint8), boxes)) in (0, 1)


@pytest.mark.parametrize("name", ["", "x" * 200])
def test_names_of_cameras_are_bounded(models, name):
    with pytest.raises(Refused, match="characters"):
        Sessions(models, most=1, seconds=10).find(name, "sort")
