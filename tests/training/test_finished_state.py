"""reidops/training/finished_state.py: a finished training can be lengthened, one with other params cannot."""

import pytest

from reidops.errors import ReidopsError
from reidops.training.checkpoints import Checkpoints
from reidops.training.finished_state import FinishedState

STATE = {"progress": {"step": 20, "history": [{"epoch": 1}, {"epoch": 2}]}}


def identity(**params) -> dict:
    return {"params": {"epochs": 2, "resume": False, "flip": 0.5, "sizes": (1, 2), **params}, "tar": "abc"}


@pytest.fixture
def finished(tmp_path) -> None:
    checkpoints = Checkpoints(tmp_path, identity())
    checkpoints.save(STATE)
    FinishedState(tmp_path, identity()).keep(checkpoints)
    assert not checkpoints.folder.exists()


def continued(root, epochs: int = 4, **params) -> Checkpoints:
    longer = identity(epochs=epochs, resume=True, **params)
    checkpoints = Checkpoints(root, longer)
    FinishedState(root, longer).continue_from(checkpoints, epochs)
    return checkpoints


def test_a_longer_training_starts_with_the_finished_state(tmp_path, finished):
    assert continued(tmp_path).load() == STATE


def test_a_longer_training_that_was_interrupted_keeps_its_own_state(tmp_path, finished):
    checkpoints = continued(tmp_path)
    checkpoints.save({"progress": {"step": 30}})
    assert continued(tmp_path).load() == {"progress": {"step": 30}}


def test_other_params_are_named(tmp_path, finished):
    with pytest.raises(ReidopsError, match=r"differs in train\.flip; .*train\.epochs only"):
        continued(tmp_path, flip=0.0)


def test_a_training_that_is_not_longer_is_refused(tmp_path, finished):
    with pytest.raises(ReidopsError, match=r"epochs is 2, but .* has 2 epochs .*above 2"):
        continued(tmp_path, epochs=2)


def test_without_a_finished_training_the_param_is_named(tmp_path):
    with pytest.raises(ReidopsError, match=r"train\.resume is true"):
        continued(tmp_path)


def test_pruning_keeps_the_finished_state(tmp_path, finished):
    Checkpoints(tmp_path, identity(epochs=9)).prune()
    assert continued(tmp_path).load() == STATE
