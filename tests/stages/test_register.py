"""The last stage: an MLflow run, a model version, and a decision that says why."""

import socket
import time
from contextlib import closing
from pathlib import Path

import pytest
from made_result import SEQUENCES, made_tables, write_result

from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.params import check_section
from reidops.tracking.rivals import write_windows
from stages.register import RegisterParams, register

PARAMS = RegisterParams(model_name="person-reid", experiment="reid", score="IDF1", min_margin=0.0, require_gain=True)
FOLDERS = ("raw", "crops", "validation", "model", "export", "reid", "detections", "tracking", "registration")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that DVC names as the repository, and that we are in."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_register(root: Path, params: RegisterParams = PARAMS) -> dict:
    register(root / "params.yaml", *(root / "data" / name for name in FOLDERS), params=params)
    return read_json(root / "data" / "registration" / "version.json")


def test_results_follow_each_other_to_the_championship(repository):
    """First one, the same again, a better one, one that loses against its control arm; all in one store."""
    write_result(repository, seed=0, idf1=0.70)
    first = run_register(repository)
    assert (first["version"], first["aliases"]) == ("1", ["challenger", "champion"])
    assert "there was no champion" in first["decision"]["reason"]
    assert first["links"] == {"ui": f"mlflow ui --backend-store-uri sqlite:///{repository / 'mlflow.db'}"}

    again = run_register(repository)
    assert (again["version"], again["run_id"], again["aliases"]) == ("1", first["run_id"], first["aliases"])

    write_result(repository, seed=1, idf1=0.75)
    better = run_register(repository)
    assert (better["version"], better["aliases"]) == ("2", ["challenger", "champion"])
    assert better["decision"]["champion_score"] == 0.70
    assert better["decision"]["differences"] == pytest.approx(dict.fromkeys(SEQUENCES, 0.05))
    low, high = better["decision"]["lead"]
    assert 0.04 <= low < 0.05 < high <= 0.06  # 25 of 500 people have another track
    assert f"+0.0500 [{low:+.4f}, {high:+.4f}] over the same 2 sequences" in better["decision"]["reason"]

    write_result(repository, seed=2, idf1=0.80, control=0.81)
    useless = run_register(repository)
    assert (useless["version"], useless["aliases"], useless["decision"]["champion"]) == ("3", ["challenger"], False)
    assert "does not help the tracker" in useless["decision"]["reason"]


def test_a_champion_whose_windows_are_gone_or_are_others_is_compared_without_an_interval(repository):
    write_result(repository, seed=0, idf1=0.70)
    (repository / "data" / "tracking" / "windows.npz").unlink()
    run_register(repository)
    write_result(repository, seed=1, idf1=0.75)
    second = run_register(repository)
    assert second["decision"]["champion"] and second["decision"]["lead"] is None
    assert "+0.0500 over the same 2 sequences" in second["decision"]["reason"]

    write_result(repository, seed=2, idf1=0.80)
    write_windows([("03", made_tables(0.8, num_frames=60))], 30, repository / "data" / "tracking" / "windows.npz")
    assert run_register(repository)["decision"]["lead"] is None


def test_a_champion_whose_windows_are_broken_is_told_of_and_compared_without_an_interval(repository, caplog):
    write_result(repository, seed=0, idf1=0.70)
    (repository / "data" / "tracking" / "windows.npz").write_bytes(b"half a file")
    first = run_register(repository)
    write_result(repository, seed=1, idf1=0.75)
    second = run_register(repository)
    assert second["decision"]["champion"] and second["decision"]["lead"] is None
    assert f"has no interval: tracking/windows.npz of its run {first['run_id']}" in caplog.text and "holds no windows" in caplog.text


def test_a_clone_without_a_store_registers_what_it_was_given(repository, monkeypatch):
    """It took data/ from a remote: the run that version.json names is not in its store."""
    write_result(repository)
    first = run_register(repository)
    monkeypatch.setenv("DVC_ROOT", str(repository / "clone"))
    second = run_register(repository)
    assert (second["version"], second["aliases"]) == ("1", ["challenger", "champion"])
    assert second["run_id"] != first["run_id"]


def test_a_dead_server_leaves_the_previous_registration_and_no_half_one(repository, monkeypatch):
    data = write_result(repository)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    started = time.monotonic()
    with pytest.raises(ReidopsError, match="does not answer.*kept.*dvc repro register"):
        run_register(repository)
    assert time.monotonic() - started < 20
    assert not (data / "registration").exists()
    assert not list(data.glob(".*"))


@pytest.mark.parametrize(
    ("change", "says"),
    [({"score": "idf1"}, "register.score"), ({"min_margin": -1}, "register.min_margin"), ({"model_name": "a/b"}, "register.model_name")],
)
def test_ill_typed_params_are_refused_before_anything_runs(change, says):
    values = {"model_name": "person-reid", "experiment": "reid", "score": "IDF1", "min_margin": 0.0, "require_gain": True, **change}
    with pytest.raises(ReidopsError, match=says):
        check_section(RegisterParams, {"register": values}, "register", Path("params.yaml"))
