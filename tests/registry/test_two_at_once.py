"""Two registrations at once lose nothing, and the commands show and move the versions of a real store."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from default_params import default_params
from empty_store import write_empty_store
from made_result import write_result

from reidops.command import main
from reidops.files import read_json
from reidops.registry import models as registry
from reidops.registry.owners import OWNER, own_tag
from reidops.registry.result import Folders, read_result
from reidops.registry.store import find_experiment, open_store
from stages.params.register import RegisterParams
from stages.register import register

pytestmark = pytest.mark.slow

FOLDERS = (
    "raw", "crops", "validation", "generated", "model", "export", "reid", "detections", "embeddings", "tracking",
    "seeds", "registration",
)  # fmt: skip
PARAMS = default_params(RegisterParams, experiment="reid")
REGISTER = """
import gc
gc.disable()  # its search takes a fifth of the imports
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_two_at_once import run_register
run_register(Path(sys.argv[1]))
"""


def run_register(root: Path) -> dict:
    """Register the result in `root`, in the current store."""
    register(root / "params.yaml", *(root / "data" / name for name in FOLDERS), params=PARAMS)
    return read_json(root / "data" / "registration" / "version.json")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with an empty store, which is the current folder."""
    write_empty_store(tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(root: Path) -> subprocess.Popen[str]:
    here = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(here).parent), *sys.path])}
    command = [sys.executable, "-c", REGISTER, str(root), here]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_two_registrations_at_once_lose_nothing(store, seeds):
    """The same weights make one version and one run; other weights make two."""
    for number, seed in enumerate(seeds):
        write_result(store / str(number), seed=seed, idf1=0.7 + 0.05 * seed)
    processes = [start(store / str(number)) for number in range(2)]
    messages = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], messages
    with open_store() as client:
        versions = client.search_model_versions("name = 'person-reid'")
        runs = client.search_runs([find_experiment(client, "reid")])
        best = client.get_model_version_by_alias("person-reid", "champion")
    assert len(versions) == len(runs) == len(set(seeds))
    assert {run.info.status for run in runs} == {"FINISHED"}
    files = {version.run_id: version.tags["weights.sha256"] for version in versions}
    assert {run.info.run_id for run in runs} == set(files)
    assert best.tags["weights.sha256"] == read_json(store / "1" / "data/model/embedder.json")["weights_sha256"]


def made_result(root: Path):
    data = write_result(root)
    names = ("raw", "crops", "validation", "model", "export", "reid", "tracking")
    return read_result(root / "params.yaml", Folders(*(data / name for name in names)))


def test_the_run_that_another_host_still_writes_is_left_alone(store):
    result = made_result(store)
    with open_store() as client:
        foreign = own_tag()[OWNER].replace(os.uname().nodename, "elsewhere")
        tags = {"result.digest": result.digest, OWNER: foreign}
        living = client.create_run(find_experiment(client, "reid"), tags=tags).info.run_id
        run_id = registry.log_result(result, "reid")
        assert client.get_run(living).info.lifecycle_stage == "active" and run_id != living
        assert OWNER not in client.get_run(run_id).data.tags


def test_a_result_is_the_child_of_the_run_of_its_training(store):
    result = made_result(store)
    with open_store() as client:
        tags = {"training": "digest", "weights.sha256": result.weights_sha256}
        training = client.create_run(find_experiment(client, "reid"), tags=tags).info.run_id
        run = client.get_run(registry.log_result(result, "reid"))
    assert run.data.tags["mlflow.parentRunId"] == training


def command(*arguments: str) -> str:
    outcome = CliRunner().invoke(main, ["registry", *arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_a_person_rolls_back_freezes_and_compares_and_the_pipeline_obeys(store, monkeypatch):
    write_result(store, seed=0, idf1=0.70)
    run_register(store)
    write_result(store, seed=1, idf1=0.80)
    assert run_register(store)["decision"]["champion"]

    assert "version 1 is the champion again" in command("rollback", "--why", "more switches in the lobby")
    again = run_register(store)
    assert again["aliases"] == ["challenger"] and not again["decision"]["champion"]
    assert "version 2 was rolled back by" in again["decision"]["reason"]
    assert "(more switches in the lobby)" in again["decision"]["veto"]

    listed = command("list")
    assert "champion" in listed and "rolled back" in listed and "more switches" in listed
    command("freeze", "--why", "audit")
    write_result(store, seed=2, idf1=0.90)
    frozen = run_register(store)
    assert not frozen["decision"]["champion"] and "version 1 is frozen by" in frozen["decision"]["reason"]
    refused = CliRunner().invoke(main, ["registry", "promote", "3"])
    assert refused.exit_code == 1 and "version 1 is frozen" in refused.output
    command("unfreeze")
    assert "version 3 is the champion" in command("promote", "3", "--why", "audit is over")

    shown = command("compare", "1", "3", "--html", "both.html")
    assert "tracking/appearance/IDF1" in shown and "+0.2000" in shown
    page = (store / "both.html").read_text()
    assert "<h2>Differences</h2>" in page and "person-reid version 1" in page and "person-reid version 3" in page

    monkeypatch.setenv("DVC_EXP_NAME", "tidy-jay")
    write_result(store, seed=3, idf1=0.99)
    experiment = run_register(store)
    assert (experiment["version"], experiment["aliases"]) == ("4", [])
    assert (
        "of the experiment tidy-jay, which moves no alias; `reidops registry promote 4`"
        in (experiment["decision"]["reason"])
    )


def test_a_version_has_a_short_card_a_page_and_few_tags(store):
    write_result(store)
    entry = run_register(store)
    with open_store() as client:
        version = client.get_model_version("person-reid", entry["version"])
        files = {file.path for file in client.list_artifacts(entry["run_id"])}
    assert version.description.startswith("**At registration: champion.** there was no champion")
    assert "| parity of the ONNX model |" in version.description
    assert {"card.html", "lineage.json", "promotion"} <= files
    assert max(len(value) for value in version.tags.values()) <= 500 and len(version.tags) < 10


def test_a_model_below_the_colour_histogram_is_not_promoted_and_the_condition_has_its_figure(store):
    data = write_result(store)
    metrics = read_json(data / "reid" / "metrics.json")
    metrics["colour_histogram"]["mAP"] = 0.632
    (data / "reid" / "metrics.json").write_text(json.dumps(metrics))
    decision = run_register(store)["decision"]
    assert not decision["champion"]
    assert "0.6100 against 0.6320, required is a higher mAP (register.beat_histogram)" in decision["reason"]
    (condition,) = [row for row in decision["conditions"] if not row["met"]]
    assert condition["value"] == pytest.approx(-0.022)


def test_the_champions_map_and_latency_bound_a_challenger(store):
    data = write_result(store, seed=0, idf1=0.70)
    run_register(store)
    data = write_result(store, seed=1, idf1=0.80)
    metrics = read_json(data / "reid" / "metrics.json")
    metrics["synthetic"]["mAP"] = 0.55
    (data / "reid" / "metrics.json").write_text(json.dumps(metrics))
    decision = run_register(store)["decision"]
    assert not decision["champion"]
    assert (
        "0.5500 against 0.6100 of version 1, required is a loss of at most 0.02 (register.max_loss)"
        in (decision["reason"])
    )
    (latency,) = [row for row in decision["conditions"] if row["name"] == "latency"]
    assert latency["value"] > 0 and "ms per crop" in latency["found"]
