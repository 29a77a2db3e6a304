"""MLflow holds each result and model once, and an unreachable server is reported within seconds."""

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from empty_store import write_empty_store
from made_result import DIM, SEQUENCES, SETTINGS, embed_plainly, write_result
from safetensors.numpy import load_file

from reidops.errors import ReidopsError
from reidops.registry import models as registry
from reidops.registry.champion import Trial, promote
from reidops.registry.overview import read_metrics
from reidops.registry.promotion import Bench, Bounds, Rule, TrackingResult
from reidops.registry.result import Folders, Result, read_bench, read_result
from reidops.serving.onnx_embedder import OnnxEmbedder

pytestmark = pytest.mark.slow

STAGES = ("raw", "crops", "validation", "model", "export", "reid", "tracking")


def read_made(root: Path) -> Result:
    return read_result(root / "params.yaml", Folders(*(root / "data" / name for name in STAGES)))


def made_files(data: Path) -> dict[str, Path]:
    places = {
        "model.safetensors": "model",
        "embedder.json": "export",
        "model.onnx": "export",
        "calibration.json": "reid",
    }
    return {name: data / place / name for name, place in places.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished result."""
    root = tmp_path_factory.mktemp("made")
    write_result(root)
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of one sqlite store for all tests; each test has its own experiment and model name."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    write_empty_store(file)
    return f"sqlite:///{file}"


@pytest.fixture
def place(store: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Set the tracking URI to the store and return a name that no other test uses."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return re.sub(r"\W", "_", request.node.name)


def register(root: Path, place: str) -> registry.Registered:
    result = read_made(root)
    run_id = registry.log_result(result, place)
    return registry.register_model(place, run_id, made_files(root / "data"), {"weights.sha256": result.weights_sha256})


def scored(version: str, idf1: float, bench: Bench) -> TrackingResult:
    rows = {name: {"IDF1": idf1} for name in ("combined", *SEQUENCES)}
    control, sure = {"combined": {"IDF1": 0.1}}, {"IDF1": Bounds(idf1 - 0.15, idf1 - 0.05, 10)}
    return TrackingResult(version, bench, rows, control, control, sure, sure)


class Referee:
    """A referee with given leads and scores that records the files it gets."""

    def __init__(self, lead: Bounds | None = None, idf1: float | None = None) -> None:
        self.lead, self.idf1, self.seen = lead, idf1, []

    def lead_over(self, windows: Path) -> Bounds | None:
        if not windows.is_file():
            raise ReidopsError(f"{windows}: no such file")
        return self.lead

    def score_again(self, model: Path, folder: Path) -> dict[str, dict[str, float]]:
        self.seen = sorted(path.name for path in model.iterdir())
        if self.idf1 is None:
            raise ReidopsError("the sequences are gone")
        (folder / "windows.npz").write_bytes(b"")
        return {name: {"IDF1": self.idf1} for name in ("combined", *SEQUENCES)}


POINT = Rule(evidence="point")
SURE = Bounds(0.01, 0.2, 10)


def aliases_of(place: str, version: str) -> list[str]:
    with registry.open_store() as client:
        return sorted(client.get_model_version(place, version).aliases)


BENCH = Bench({name: "1-150" for name in SEQUENCES}, {"max_age": 30})


def test_one_run_holds_params_figures_curves_pictures_and_origin(made, place):
    run_id = registry.log_result(read_made(made), place)
    with registry.open_store() as client:
        run = client.get_run(run_id)
        losses = [(m.step, m.value) for m in client.get_metric_history(run_id, "train/loss")]
        files = {f.path for folder in (None, "reid", "data/docs") for f in client.list_artifacts(run_id, folder)}
    assert run.data.params["evaluate_tracking.max_age"] == "30"
    assert run.data.params["download.train"] == '["synthetic"]'
    assert run.data.metrics["reid/synthetic/mAP"] == 0.61
    assert run.data.metrics["tracking/appearance/IDF1"] == 0.7
    assert run.data.metrics["tracking/no_appearance/IDF1"] == 0.6
    assert run.data.metrics["tracking/gain/IDF1"] == pytest.approx(0.1)
    assert losses == [(1, 2.5), (2, 1.5)]
    assert {"reid/distances.png", "data/docs/index.html", "lineage.json", "metrics.json"} <= files
    assert read_metrics(client, run_id)[f"tracking/appearance/{SEQUENCES[0]}/IDF1"] == pytest.approx(0.72)
    own = {name for name in run.data.tags if not name.startswith("mlflow.")}
    assert own == {"weights.sha256", "result.digest"} | ({"git.uncommitted_changes"} & own)
    assert len(run.data.metrics) <= 40
    # this repository's own dvc.lock, if it has one, adds its folders
    (data,) = (data for data in run.inputs.dataset_inputs if data.tags[0].value != "dvc")
    assert (data.dataset.name, data.dataset.digest) == ("synthetic", "d" * 36)
    assert data.tags[0].value == "track, train"
    assert run.data.tags["weights.sha256"] == read_made(made).weights_sha256


def test_a_result_that_is_logged_again_is_one_run(made, place):
    result = read_made(made)
    first = registry.log_result(result, place)
    assert registry.log_result(result, place) == first
    other = replace(result, metrics={**result.metrics, "tracking/appearance/IDF1": 0.8})
    assert registry.log_result(other, place) != first


def test_an_interrupted_run_is_replaced(made, place):
    result = read_made(made)
    broken = replace(result, files={made / "no such file": "x"})
    with pytest.raises(OSError, match="no such file"):
        registry.log_result(broken, place)
    run_id = registry.log_result(result, place)
    with registry.open_store() as client:
        runs = client.search_runs([client.get_experiment_by_name(place).experiment_id])
    assert [run.info.run_id for run in runs] == [run_id]
    assert runs[0].info.status == "FINISHED"


def test_registering_twice_makes_one_version(made, place):
    first, second = register(made, place), register(made, place)
    assert (first.version, first.is_new) == ("1", True)
    assert (second.version, second.is_new) == ("1", False)


def test_other_weights_make_another_version_and_the_challenger_moves(made, place, tmp_path):
    write_result(tmp_path, seed=1)
    assert register(made, place).version == "1"
    assert aliases_of(place, "1") == ["challenger"]
    assert register(tmp_path, place).version == "2"
    assert aliases_of(place, "1") == []
    assert aliases_of(place, "2") == ["challenger"]


def test_the_champion_moves_only_to_a_better_version(made, place, tmp_path):
    write_result(tmp_path, seed=1)
    first, second = register(made, place), register(tmp_path, place)
    assert promote(first, Trial(scored("1", 0.6, BENCH), POINT)).champion
    worse = promote(second, Trial(scored("2", 0.5, BENCH), POINT))
    assert not worse.champion
    assert aliases_of(place, "1") == ["champion"]
    better = promote(second, Trial(scored("2", 0.7, BENCH), POINT))
    assert better.champion
    assert better.champion_score == 0.6
    assert aliases_of(place, "2") == ["challenger", "champion"]


def test_a_better_score_without_an_interval_does_not_promote(made, place, tmp_path):
    write_result(tmp_path, seed=1)
    first, second = register(made, place), register(tmp_path, place)
    promote(first, Trial(scored("1", 0.6, BENCH), Rule()))
    decision = promote(second, Trial(scored("2", 0.60001, BENCH), Rule()))
    assert not decision.champion
    assert aliases_of(place, "1") == ["champion"]


def test_a_champion_is_compared_by_its_score_on_the_challengers_benchmark(made, place, tmp_path):
    """The champion was scored on two benches; the later one is not the challenger's."""
    write_result(tmp_path, seed=1)
    first, second = register(made, place), register(tmp_path, place)
    promote(first, Trial(scored("1", 0.6, BENCH), Rule()))
    promote(first, Trial(scored("1", 0.9, replace(BENCH, tracker={"max_age": 60})), Rule()))
    decision = promote(second, Trial(scored("2", 0.7, BENCH), POINT))
    assert decision.champion
    assert decision.champion_score == 0.6


OTHER_BENCHES = {
    "sequences": Bench({"09": "1-150"}, BENCH.tracker),
    "tracker": replace(BENCH, tracker={"max_age": 60}),
    "code": replace(BENCH, code="c0de"),
}


@pytest.mark.parametrize(
    ("changed", "again", "lead", "wins"),
    [
        ("sequences", 0.65, SURE, True),
        ("tracker", 0.65, Bounds(-0.1, 0.2, 10), False),
        ("code", 0.95, Bounds(-0.2, -0.01, 10), False),
    ],
)
def test_a_champion_of_another_benchmark_is_downloaded_and_scored_again(
    made, place, tmp_path, changed, again, lead, wins
):
    write_result(tmp_path, seed=1)
    first, second = register(made, place), register(tmp_path, place)
    promote(first, Trial(scored("1", 0.6, BENCH), Rule()))
    referee = Referee(lead, again)
    decision = promote(second, Trial(scored("2", 0.9, OTHER_BENCHES[changed]), Rule(), referee))
    assert set(registry.MODEL_FILES) <= set(referee.seen)
    assert (decision.champion, decision.rescored, decision.champion_score) == (wins, True, again)
    assert aliases_of(place, "2") == (["challenger", "champion"] if wins else ["challenger"])


def test_a_champion_that_cannot_be_scored_again_stays_and_the_cause_is_stated(made, place, tmp_path):
    write_result(tmp_path, seed=1)
    first, second = register(made, place), register(tmp_path, place)
    promote(first, Trial(scored("1", 0.6, BENCH), Rule()))
    decision = promote(second, Trial(scored("2", 0.9, OTHER_BENCHES["sequences"]), Rule(), Referee(SURE)))
    assert not decision.champion
    assert "could not be scored again on the current benchmark: the sequences are gone" in decision.reason
    assert aliases_of(place, "1") == ["champion"]


def test_the_champion_is_not_scored_again_for_a_challenger_that_fails_the_controls(made, place, tmp_path):
    write_result(tmp_path, seed=1)
    first, second = register(made, place), register(tmp_path, place)
    promote(first, Trial(scored("1", 0.6, BENCH), Rule()))
    referee = Referee(SURE, 0.1)
    decision = promote(second, Trial(scored("2", 0.11, OTHER_BENCHES["code"]), Rule(), referee))
    assert not decision.champion and referee.seen == []


def test_the_benchmark_depends_on_frames_files_and_settings(tmp_path):
    data = write_result(tmp_path)
    bench = read_bench(tmp_path / "params.yaml", data / "raw", data / "detections", data / "tracking")
    assert bench.tracker == {
        "embed.nms": "0.7",
        "evaluate_tracking.max_age": "30",
        "evaluate_tracking.min_confidence": "0.3",
    }
    assert set(bench.sequences) == set(SEQUENCES)
    write_result(tmp_path, settings=SETTINGS.replace("batch_size: 64", "batch_size: 32"))
    assert (
        read_bench(tmp_path / "params.yaml", data / "raw", data / "detections", data / "tracking").digest
        == bench.digest
    )
    (data / "detections" / f"{SEQUENCES[0]}.txt").write_text("1,-1,0,0,9,9,0.5\n")
    changed = read_bench(tmp_path / "params.yaml", data / "raw", data / "detections", data / "tracking")
    assert changed.code == "c0de"
    assert changed.sequences[SEQUENCES[0]] != bench.sequences[SEQUENCES[0]]
    assert changed.sequences[SEQUENCES[1]] == bench.sequences[SEQUENCES[1]]


def test_constants_of_a_search_are_identified_by_the_search(tmp_path):
    by_hand = "evaluate_tracking: {tracker: sort, constants: {sort: {max_age: 9}}}\n"
    on, off = (
        f"{by_hand}tune: {{trials: {trials}, score: IDF1, search: {{sort: {{iou: 0.1}}, ocsort: {{iou: 0.2}}}}}}\n"
        for trials in (20, 0)
    )
    data = write_result(tmp_path, settings=on)
    searched = read_bench(tmp_path / "params.yaml", data / "raw", data / "detections", data / "tracking").tracker
    assert searched == {
        "evaluate_tracking.tracker": "sort",
        "tune.trials": "20",
        "tune.score": "IDF1",
        "tune.search.sort.iou": "0.1",
    }
    write_result(tmp_path, settings=off)
    without = read_bench(tmp_path / "params.yaml", data / "raw", data / "detections", data / "tracking").tracker
    assert without == {"evaluate_tracking.tracker": "sort", "evaluate_tracking.constants.sort.max_age": "9"}


def test_a_downloaded_model_equals_the_registered_one(made, place, tmp_path):
    registered = register(made, place)
    promote(registered, Trial(scored("1", 0.6, BENCH), Rule()))
    for folder in (
        registry.pull_model(f"models:/{place}@champion"),
        registry.pull_model(f"models:/{place}/1", tmp_path / "pulled"),
    ):
        for name, path in made_files(made / "data").items():
            assert (folder / name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("uri", ["models:/{}@champion", "models:/{}/7", "models:/nobody@champion"])
def test_a_missing_model_is_reported(made, place, uri):
    register(made, place)
    with pytest.raises(ReidopsError, match="cannot be downloaded from sqlite"):
        registry.pull_model(uri.format(place))


PULLER = """
import sys, numpy as np, mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
crops = np.load("crops.npy")
ragged = np.fromiter([crop[: 20 + i] for i, crop in enumerate(crops)], dtype=object)
np.savez("embeddings.npz", equal=model.predict(crops), ragged=model.predict(ragged))
assert not {"torch", "timm"} & set(sys.modules), "a puller needs no torch"
"""


def test_a_new_process_gives_the_embeddings_of_the_evaluated_model(made, place, tmp_path, store):
    """Crops of one size and of several, without torch, by the code that travels with the model."""
    register(made, place)
    crops = np.random.default_rng(3).integers(0, 256, (5, 40, 21, 3), np.uint8)
    np.save(tmp_path / "crops.npy", crops)
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store}
    subprocess.run(
        [sys.executable, "-c", PULLER, f"models:/{place}@challenger"], cwd=tmp_path, env=environment, check=True
    )
    pulled = np.load(tmp_path / "embeddings.npz")
    ragged = [crop[: 20 + i] for i, crop in enumerate(crops)]
    evaluated = OnnxEmbedder.load(made / "data" / "export")
    weights = load_file(made / "data" / "model" / "model.safetensors")["weight"]
    assert pulled["equal"].shape == (5, DIM)
    assert pulled["equal"].dtype == np.float32
    for name, images in (("equal", list(crops)), ("ragged", ragged)):
        np.testing.assert_allclose(pulled[name], evaluated.embed(images), atol=1e-5)
        np.testing.assert_allclose(pulled[name], embed_plainly(images, weights), atol=1e-5)


def test_a_server_that_refuses_connections_is_reported_at_once(made, monkeypatch):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    started = time.monotonic()
    with pytest.raises(registry.StoreUnreachable, match="Everything computed is kept") as caught:
        registry.log_result(read_made(made), "dead")
    assert time.monotonic() - started < 60
    assert f"http://127.0.0.1:{port}" in str(caught.value)
    assert "dvc repro register" in str(caught.value)


def test_a_server_that_does_not_answer_is_reported_within_a_minute(made, monkeypatch):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(registry.StoreUnreachable, match="does not answer"):
            registry.log_result(read_made(made), "silent")
    assert time.monotonic() - started < 60


FIRST_USER = (
    "from reidops.registry import models\nwith models.open_store() as client:\n    "
    "print(len(client.search_experiments()))"
)


def test_first_users_of_a_new_store_do_not_crash_each_other(tmp_path):
    environment = {**os.environ, "DVC_ROOT": str(tmp_path)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    users = [
        subprocess.Popen([sys.executable, "-c", FIRST_USER], env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    messages = [user.communicate()[1] for user in users]
    assert [user.returncode for user in users] == [0, 0], messages
    assert (tmp_path / "mlflow.db").is_file()


def test_the_store_is_in_the_repository_of_dvc_root(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert registry.tracking_uri() == f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere:5000")
    assert registry.tracking_uri() == "http://elsewhere:5000"


def test_a_store_whose_folder_cannot_be_created_is_reported(made, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")
    with pytest.raises(ReidopsError, match="cannot be made.*kept.*dvc repro register"):
        registry.log_result(read_made(made), "any")


def test_an_invalid_sqlite_file_is_reported(made, tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").write_text("this is no database " * 500)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(ReidopsError, match="mlflow.db.*kept.*dvc repro register"):
        registry.log_result(read_made(made), "any")
