"""The lineage is that of this result, and a living run is left alone."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from reidops.registry.address import portable_uri
from reidops.registry.lineage import read_lineage, read_outs
from reidops.registry.owners import LEASE_SECONDS, OWNER, is_living, own_tag
from reidops.registry.shown_metrics import shown_metrics

LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: python -m stages.train
    deps: [{path: data/crops, md5: aaa.dir}]
    outs: [{path: data/model, md5: new.dir}]
  register:
    cmd: python -m stages.register
    deps: [{path: data/model, md5: old.dir}]
    outs: [{path: data/registration, md5: bbb.dir}]
"""


def test_the_lineage_has_this_results_outputs_and_not_what_the_last_registration_read(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert read_outs(tmp_path / "dvc.lock") == {"train": {"data/model": "new.dir"}}
    assert read_outs(tmp_path / "none.lock") == {}


def test_the_lineage_is_a_table_for_readers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(LOCK)
    lineage = read_lineage(Path("dvc.lock"))
    assert lineage.as_markdown().splitlines()[-1] == "| train | data/model | `new.dir` |"
    assert lineage.out("data/model") == "new.dir" and lineage.out("data/none") == ""


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True, capture_output=True)


def test_a_clean_clone_with_a_new_dvc_lock_has_no_uncommitted_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("a: 1\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    Path("dvc.lock").write_text(LOCK)
    git("add", "dvc.lock")  # DVC does so by core.autostage
    assert not read_lineage(Path("dvc.lock")).is_changed and len(read_lineage(Path("dvc.lock")).commit) == 40
    Path("params.yaml").write_text("a: 2\n")
    assert read_lineage(Path("dvc.lock")).is_changed


def owner(**changes: object) -> dict[str, str]:
    return {OWNER: json.dumps(json.loads(own_tag()[OWNER]) | changes)}


@pytest.mark.parametrize(
    ("changes", "living"),
    [
        ({}, True),
        ({"pid": 2**22 + 1}, False),
        ({"born": 1.0}, False),  # the number of the process was given to another one
        ({"host": "elsewhere"}, True),
        ({"host": "elsewhere", "until": 1.0}, False),
    ],
)
def test_a_run_is_living_while_its_process_is_or_its_lease_lasts(changes, living):
    assert json.loads(own_tag()[OWNER])["host"] == socket.gethostname()
    assert is_living(owner(**changes), 0) is living


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system keeps the date of a process's start")
@pytest.mark.parametrize("seconds", [-86400.0, 3600.0])
def test_a_run_stays_living_if_the_clock_of_the_host_is_set(monkeypatch, seconds):
    """Linux counts from the boot, and the date of the boot moves with the clock."""
    tag, booted = own_tag(), psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: booted + seconds)
    assert is_living(tag, 0)


def test_a_run_of_an_earlier_version_is_living_for_a_lease():
    now = time.time()
    assert is_living({}, int(1000 * now)) and not is_living({}, int(1000 * (now - LEASE_SECONDS - 1)))


def test_the_address_of_a_store_in_the_repository_is_the_same_in_every_clone(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert portable_uri() == "sqlite:///mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/db")
    assert portable_uri() == "postgresql://me:***@host/db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////elsewhere/mlflow.db")
    assert portable_uri() == "sqlite:////elsewhere/mlflow.db"


def test_the_most_important_metrics_are_shown_and_no_more_than_asked_for():
    arms = ("appearance", "no_appearance", "random", "oracle", "gain")
    metrics = {f"tracking/{arm}/{score}": 0.5 for arm in arms for score in ("IDF1", "HOTA", "AssA", "MOTA", "FP")}
    metrics |= {f"tracking/appearance/SEQ-{n}/IDF1": 0.5 for n in range(50)} | {"reid/a/mAP": 0.4, "reid/a/rank10": 0.9}
    shown = shown_metrics(metrics, 20)
    assert len(shown) == 20
    assert list(shown)[0] == "reid/a/mAP" and {"tracking/appearance/IDF1", "tracking/gain/IDF1"} <= set(shown)
    assert not [name for name in shown if "SEQ" in name]
    assert shown_metrics(metrics, 1000) == metrics
