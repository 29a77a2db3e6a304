"""reidops/training/checkpoints.py: the last complete state is loaded, or none."""

import resource

import pytest
import torch

from reidops.errors import ReidopsError
from reidops.training.checkpoints import Checkpoints


@pytest.fixture
def checkpoints(tmp_path) -> Checkpoints:
    return Checkpoints(tmp_path, {"params": {"epochs": 2}, "tar": "abc"})


def test_a_loaded_state_equals_the_saved_one(checkpoints):
    assert checkpoints.load() is None
    state = {"weights": torch.randn(3), "step": 7, "history": [{"loss": 0.5}], "ema": None}
    checkpoints.save(state)
    loaded = checkpoints.load()
    assert torch.equal(loaded.pop("weights"), state.pop("weights")) and loaded == state


def test_other_params_or_data_have_another_folder(tmp_path, checkpoints):
    assert Checkpoints(tmp_path, {"tar": "abc", "params": {"epochs": 2}}).folder == checkpoints.folder
    assert Checkpoints(tmp_path, {"tar": "abd", "params": {"epochs": 2}}).folder != checkpoints.folder
    assert Checkpoints(tmp_path, {"tar": "abc", "params": {"epochs": 3}}).folder != checkpoints.folder


def test_the_previous_state_is_kept_if_writing_fails(checkpoints, monkeypatch):
    checkpoints.save({"step": 1})

    def full_disk(state, stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(ReidopsError, match=r"state\.pt: no space is left on its disk"):
        checkpoints.save({"step": 2})
    assert checkpoints.load() == {"step": 1}


def test_a_half_written_state_is_never_read(checkpoints):
    checkpoints.save({"step": 1})
    whole = (checkpoints.folder / "state.pt").read_bytes()
    (checkpoints.folder / ".state.pt.partial").write_bytes(whole[: len(whole) // 2])
    assert checkpoints.load() == {"step": 1}


def test_a_damaged_state_is_reported_with_the_folder_to_delete(checkpoints):
    checkpoints.save({"step": 1})
    (checkpoints.folder / "state.pt").write_bytes(b"PK broken")
    with pytest.raises(ReidopsError, match=f"delete {checkpoints.folder}"):
        checkpoints.load()


def test_only_tensors_and_plain_values_are_unpickled(checkpoints):
    checkpoints.folder.mkdir(parents=True)
    torch.save({"step": torch.nn.Linear(1, 1)}, checkpoints.folder / "state.pt")
    with pytest.raises(ReidopsError, match="damaged"):
        checkpoints.load()


def test_deleting_removes_the_folder(checkpoints):
    checkpoints.save({"step": 1})
    checkpoints.delete()
    assert not checkpoints.folder.exists()


def test_the_previous_state_is_kept_on_a_full_disk(checkpoints):
    """A file size limit of the process simulates a full disk: the operating system rejects the write half way."""
    checkpoints.save({"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(ReidopsError, match="cannot be written.*previous checkpoint is kept"):
            checkpoints.save({"step": 2, "weights": torch.randn(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoints.load() == {"step": 1}
    assert [f.name for f in checkpoints.folder.iterdir()] == ["state.pt"]
