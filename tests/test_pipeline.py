"""The whole pipeline on a small synthetic set: killed in convert and train, completed, changed, and its model used.

The tests of this file share one repository and build on each other, in the order of the file.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]

TINY = {


             "download": {"sequences": ["03"], "synthetic": {"scenes": 3, "frames": 60, "width": 320, "height": 180,
                                                      "min_people": 8, "max_people": 8}},
    "convert": {"min_per_person": 4, "gap": 10, "workers": 1},
    "validate": {"image_sample": 2, "contact_sheet_people": 6},
    "train": {"backbone": "test_efficientnet", "height": 64, "width": 32, "people_per_batch": 4, "epochs": 2,
              "warmup_epochs": 1, "val_every": 1, "precision": "32-true"},
    # one street of 60 frames proves nothing
    "register": {"evidence": "point", "require_gain": False, "beat_random": False, "beat_histogram": False},
}  # fmt: skip


class Repository:
    """A copy of the tracked files, as a fresh clone would have them, with tiny params."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_folder = Path(sys.executable).parent
        # each stage is a process: without bytecode every one of them would compile the library again
        unset = ("DVC_ROOT", "MLFLOW_TRACKING_URI", "PYTHONDONTWRITEBYTECODE")
        self.env = {k: v for k, v in os.environ.items() if k not in unset} | {
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
        }
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, listed.decode().split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        self.change_params(TINY)

    def change_params(self, changes: dict) -> None:
        path = self.folder / "params.yaml"
        path.write_text(yaml.safe_dump(_merged(yaml.safe_load(path.read_text()), changes), sort_keys=False))

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=1100)

    def kill_repro_when(self, reached: Callable[[], bool]) -> None:
        """Start `dvc repro` and send SIGKILL to all of it once `reached`."""
        command = [sys.executable, "-m", "dvc", "repro"]
        output = self.folder.parent / "killed.log"
        with open(output, "w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 900
        try:
            while not reached():
                assert process.poll() is None and time.monotonic() < deadline, output.read_text()
                time.sleep(0.01)
        finally:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself, as it should not
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def read(self, name: str) -> dict:
        return json.loads((self.folder / name).read_text())


def _merged(old: dict, new: dict) -> dict:
    return old | {
        k: _merged(old[k], v) if isinstance(v, dict) and isinstance(old[k], dict) else v for k, v in new.items()
    }


def stages_that_ran(ended: subprocess.CompletedProcess) -> list[str]:
    """Return the stages that DVC ran, without `store`, which it always runs."""
    ran = [line.split("'")[1] for line in ended.stdout.splitlines() if line.startswith("Running stage")]
    return [name for name in ran if name != "store"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Repository:
    return Repository(tmp_path_factory.mktemp("pipeline") / "reidops")


def test_a_kill_in_convert_leaves_no_incomplete_crops(repository):
    data = repository.folder / "data"
    repository.kill_repro_when(lambda: (data / ".crops.partial").exists())
    assert (data / "raw" / "parts.csv").exists() and not (data / "crops").exists()


def test_a_kill_in_train_leaves_no_incomplete_model(repository):
    data = repository.folder / "data"
    repository.kill_repro_when(lambda: any((data / "checkpoints").glob("*/state.pt")))
    assert (data / "crops" / "crops.parquet").exists() and not (data / "trained").exists()


def test_dvc_repro_completes_after_the_kills(repository):
    ended = repository.dvc("repro")
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "continue after step" in ended.stderr
    reid, tracking = repository.read("data/reid/metrics.json"), repository.read("data/tracking/metrics.json")
    assert 0 < reid["synthetic"]["mAP"] <= 1 and 0 < reid["colour_histogram"]["mAP"] < 1
    assert {"appearance", "no_appearance"} <= set(tracking)
    version = repository.read("data/registration/version.json")
    assert version["name"] == "person-reid" and version["decision"]["champion"]


def test_a_second_run_with_nothing_changed_runs_no_stage(repository):
    ended = repository.dvc("repro")
    assert ended.returncode == 0 and stages_that_ran(ended) == [], ended.stdout


def test_another_store_gets_the_result_and_the_first_one_keeps_it(repository):
    other = {"MLFLOW_TRACKING_URI": f"sqlite:///{repository.folder.parent}/other.db"}
    repository.env |= other
    assert stages_that_ran(repository.dvc("repro")) == ["register"]
    assert repository.read("data/registration/version.json")["version"] == "1"
    repository.env = {name: value for name, value in repository.env.items() if name not in other}
    assert stages_that_ran(repository.dvc("repro")) == ["register"]
    assert repository.read("data/registration/version.json")["version"] == "1"


def test_a_changed_tracker_constant_rescores_and_does_not_embed_again(repository):
    repository.change_params({"evaluate_tracking": {"constants": {"deepsort": {"max_age": 12}}}})
    ended = repository.dvc("repro")
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert stages_that_ran(ended) == ["evaluate_tracking", "repeat_seeds", "register"]


def test_the_champion_in_a_new_process_embeds_as_the_evaluated_model(repository, tmp_path):
    crops = np.random.default_rng(0).integers(0, 256, (3, 90, 40, 3), dtype=np.uint8)
    np.save(tmp_path / "crops.npy", crops)
    script = (
        "import mlflow, numpy as np; crops = np.load('crops.npy');"
        "np.save('served.npy', mlflow.pyfunc.load_model('models:/person-reid@champion').predict(crops))"
    )
    env = {k: v for k, v in repository.env.items() if k != "PYTHONPATH"} | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{repository.folder}/mlflow.db"
    }
    served = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert served.returncode == 0, served.stderr[-3000:]

    from reidops import Embedder

    expected = Embedder.load(repository.folder / "data" / "model").embed(list(crops))
    np.testing.assert_allclose(np.load(tmp_path / "served.npy"), expected, atol=1e-5)


def test_a_misspelt_name_is_an_error_before_a_stage_runs(repository):
    text = (repository.folder / "params.yaml").read_text()
    (repository.folder / "params.yaml").write_text(text.replace("learning_rate:", "learning_rat:"))
    ended = repository.dvc("repro")
    (repository.folder / "params.yaml").write_text(text)
    assert ended.returncode != 0
    assert "train.learning_rat is unknown; did you mean `learning_rate`" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_metrics_table_and_the_graph_can_be_shown(repository):
    shown = repository.dvc("metrics", "show")
    assert shown.returncode == 0 and "mAP" in shown.stdout
    assert "evaluate_tracking" in repository.dvc("dag").stdout


def test_another_training_is_compared_with_the_champion_on_the_current_benchmark(repository):
    """The tracker's constants have changed since the champion was scored, so it embeds and tracks again."""
    repository.change_params(
        {"train": {"seed": 1, "epochs": 1}, "evaluate_tracking": {"constants": {"deepsort": {"max_age": 20}}}}
    )
    repository.change_params({"repeat_seeds": {"num": 2}})
    ended = repository.dvc("repro")
    assert ended.returncode == 0, ended.stderr[-3000:]
    version = repository.read("data/registration/version.json")
    decision = version["decision"]
    assert version["version"] == "2" and decision["rescored"], decision["reason"]
    assert list(decision["differences"]) == ["SYN-03-FRCNN"]
    assert "(version 1, scored again on the current benchmark)" in decision["reason"]
    assert repository.read("data/seeds/spread.json")["seeds"] == [1, 2] and decision["seeds"]["std"] is not None
    assert f"IDF1 {decision['score']:.4f} " in decision["reason"] and 0 < decision["champion_score"] <= 1
