"""Files that git ignores, named relative to the repository, are found by a stage of `dvc exp run --temp`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

# What the stages call for download.local, detect.source (file, folder) and the other params that name files.
STAGE = """
import json, os
from pathlib import Path
from reidops.detection.sources import open_source
from reidops.files import repository_path
from reidops.parts import local_folder
from reidops.tracking.evaluation.protocol import read_tuning

open_source("mine/dets/cam-a.txt"), open_source("mine/dets/")
tuning = read_tuning(repository_path("mine/constants.json"), "deepsort")
found = {
    "local": ",".join(path.name for path in local_folder("mine/sets").iterdir()),
    "tuning": dict(tuning.constants),
    "weights": repository_path("mine/weights.pth").read_text(),
    "is_copy": not Path("mine").exists(),
}
Path("found.json").write_text(json.dumps(found, sort_keys=True))
"""
GRAPH = """
stages:
  read:
    cmd: {python} read.py
    params: [trial]
    metrics: [found.json]
"""


def call(*words: str, folder: Path) -> str:
    unset = ("DVC_ROOT", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_repository(folder: Path) -> Path:
    (folder / "mine" / "sets" / "own").mkdir(parents=True)
    (folder / "mine" / "dets").mkdir()
    (folder / "mine" / "dets" / "cam-a.txt").write_text("1,-1,5,5,10,20,0.9\n")
    (folder / "mine" / "weights.pth").write_text("weights")
    row = {"dataset": "mine", "sequence": "cam-b", "scene": "cam-b", "first_frame": 1, "last_frame": 2}
    constants = {"tracker": "deepsort", "constants": {"max_age": 9}, "tuned_on": [row]}
    (folder / "mine" / "constants.json").write_text(json.dumps(constants))
    (folder / "read.py").write_text(STAGE)
    (folder / "dvc.yaml").write_text(GRAPH.format(python=sys.executable))
    (folder / "params.yaml").write_text("trial: 1\n")
    (folder / ".gitignore").write_text("/mine\n")
    call("git", "init", "-q", ".", folder=folder)
    call(sys.executable, "-m", "dvc", "init", "-q", folder=folder)
    call("git", "add", "-A", folder=folder)
    identity = ("-c", "user.email=a@b.c", "-c", "user.name=x")
    call("git", *identity, "commit", "-qm", "first", folder=folder)
    return folder


def test_files_named_relative_to_the_repository_are_found_in_a_temporary_copy(tmp_path):
    folder = write_repository(tmp_path / "repository")
    call(sys.executable, "-m", "dvc", "exp", "run", "-q", "--temp", "-S", "trial=2", folder=folder)
    shown = call(sys.executable, "-m", "dvc", "exp", "show", "--json", folder=folder)
    (run,) = [exp for state in json.loads(shown) for exp in state["experiments"] or []]
    found = run["revs"][0]["data"]["metrics"]["found.json"]["data"]
    assert found == {"local": "own", "tuning": {"max_age": 9}, "weights": "weights", "is_copy": True}
    assert not (folder / "found.json").exists()
