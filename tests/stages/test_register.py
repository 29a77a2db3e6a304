"""The last stage: an MLflow run, a model version, and a decision that says why."""

import shutil
import socket
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import mlflow
import pytest
from default_params import default_params
from empty_store import write_empty_store
from made_result import SEQUENCES, write_result
from register_folders import FOLDERS

from reidops.errors import ReidopsError
from reidops.files import read_json, write_json
from reidops.params import check_section
from reidops.skipped import write_skipped
from reidops.stage_times import keep_times
from stages.register import RegisterParams, register

pytestmark = pytest.mark.slow  # each registration starts processes
PARAMS = default_params(RegisterParams, experiment="reid")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that DVC names as the repository, and that we are in; it has a store without runs."""
    write_empty_store(tmp_path / "mlflow.db")
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
    keep_times(repository / "data" / "tracking", {"associate/appearance": 0.5})
    first = run_register(repository)
    run = mlflow.MlflowClient(f"sqlite:///{repository / 'mlflow.db'}").get_run(first["run_id"])
    assert run.data.metrics["ms_per_frame/associate/appearance"] == 0.5
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
    assert (better["decision"]["evidence"], better["decision"]["rescored"]) == ("interval", False)
    lead, gain, random = better["decision"]["comparisons"]
    assert [lead["against"], gain["against"], random["against"]] == ["champion", "no_appearance", "random"]
    assert 0 < lead["low"] < 0.05 < lead["high"] and (lead["units"], lead["unit"]) == (200, "people") and lead["met"]
    assert (
        f"+0.0500 [{lead['low']:+.4f}, {lead['high']:+.4f}] (200 people) over the same 2 sequences"
        in better["decision"]["reason"]
    )
    assert (gain["low"], gain["units"]) == (pytest.approx(0.13), 20) and random["low"] == pytest.approx(0.53)

    write_result(repository, seed=2, idf1=0.80, control=0.81)
    useless = run_register(repository)
    assert (useless["version"], useless["aliases"], useless["decision"]["champion"]) == ("3", ["challenger"], False)
    assert "is not shown to help the tracker" in useless["decision"]["reason"]


def test_a_gain_that_random_vectors_give_too_makes_no_champion(repository):
    data = write_result(repository, idf1=0.70)
    proof = read_json(data / "tracking" / "proof.json")
    proof["over_random"]["combined"]["IDF1"] |= {"difference": 0.01, "interval": [-0.02, 0.04]}
    write_json(proof, data / "tracking" / "proof.json")
    metrics = read_json(data / "tracking" / "metrics.json")
    metrics["random"]["combined"]["IDF1"] = 0.69
    write_json(metrics, data / "tracking" / "metrics.json")
    decision = run_register(repository)["decision"]
    assert not decision["champion"]
    assert (
        "is not shown to beat random vectors: IDF1 0.7000 with the model, 0.6900 with random vectors: "
        in decision["reason"]
    )
    assert (
        ": +0.0100 [-0.0200, +0.0400] (20 people); a lower bound above 0 (register.beat_random) is required"
        in decision["reason"]
    )


def break_windows(path: Path) -> None:
    path.write_bytes(b"half a file")


def test_seed_noise_of_three_trainings_widens_the_intervals(repository):
    """The gain of +0.10 [+0.08, +0.13] over 20 people is not shown where single trainings scatter by 0.05."""
    data = write_result(repository, idf1=0.70)
    of_seeds = {"tracking/IDF1": {"values": [0.65, 0.70, 0.75], "mean": 0.7, "std": 0.05}}
    write_json({"num": 3, "seeds": [0, 1, 2], "figures": of_seeds}, data / "seeds" / "spread.json")
    decision = run_register(repository)["decision"]
    assert not decision["champion"]
    assert decision["seeds"] == {"num": 3, "std": 0.05, "half_width": pytest.approx(4.3027 * 0.05, abs=1e-4)}
    assert "seed noise of 3 trainings, standard deviation 0.0500, widens the intervals" in decision["reason"]


@pytest.mark.parametrize("spoil", [Path.unlink, break_windows])
def test_a_champion_without_windows_that_cannot_be_embedded_is_compared_by_its_figures_only(repository, spoil):
    """The embeddings of the tracked sequences are not there: the champion stays by interval, and loses by point."""
    write_result(repository, seed=0, idf1=0.70)
    spoil(repository / "data" / "tracking" / "windows.npz")
    run_register(repository)
    write_result(repository, seed=1, idf1=0.75)
    second = run_register(repository)["decision"]
    assert not second["champion"] and second["comparisons"][0]["low"] is None
    assert "the difference has no interval: " in second["reason"] and "set register.evidence: point" in second["reason"]
    assert run_register(repository, replace(PARAMS, evidence="point"))["decision"]["champion"]


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
    assert time.monotonic() - started < 60
    assert not (data / "registration").exists()
    assert not list(data.glob(".*"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score": "idf1"}, "register.score"),
        ({"min_margin": -1}, "register.min_margin"),
        ({"model_name": "a/b"}, "register.model_name"),
        ({"evidence": "hope"}, "register.evidence"),
    ],
)
def test_ill_typed_params_are_refused_before_anything_runs(change, says):
    values = asdict(PARAMS) | change
    with pytest.raises(ReidopsError, match=says):
        check_section(RegisterParams, {"register": values}, "register", Path("params.yaml"))


def test_an_adapted_model_without_a_scored_sequence_is_a_challenger_that_is_never_promoted(repository):
    data = write_result(repository)
    shutil.rmtree(data / "tracking")
    write_skipped(data / "tracking", "download.track is []")
    assert run_register(repository) == {"skipped": "download.track is []"}
    write_json({"rounds": 2, "kept_round": 0, "changed": False}, data / "model" / "adaptation.json")
    assert run_register(repository) == {"skipped": "download.track is []"}  # round 0 is the model before the adaptation
    write_json({"rounds": 2, "kept_round": 0, "changed": True}, data / "model" / "adaptation.json")
    entry = run_register(repository)
    assert (entry["version"], entry["aliases"], entry["decision"]["champion"]) == ("1", ["challenger"], False)
    assert "adapted without labels and download.track is []" in entry["decision"]["reason"]
