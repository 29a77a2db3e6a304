"""reidops/cores.py: a process uses only its usable cores, and its waiting threads sleep."""

import os
import subprocess
import sys

import joblib
import pytest

from reidops.cores import share_cores

THREADS = "from reidops.cores import share_cores; share_cores(); import torch; print(torch.get_num_threads())"


@pytest.fixture
def environment(monkeypatch):
    for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that what the test sets is taken back
        monkeypatch.delenv(name)


def test_waiting_threads_sleep(environment):
    share_cores()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_container_with_2_of_64_cores_starts_2_threads(environment, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    share_cores()
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_if_all_cores_are_usable_torch_decides(environment, monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    share_cores()
    assert "OMP_NUM_THREADS" not in os.environ


def test_variables_of_the_user_are_not_changed(environment, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    share_cores()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"]) == ("ACTIVE", "7")


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores and an affinity to lower",
)
def test_torch_gets_the_cores_of_the_affinity():
    core = min(os.sched_getaffinity(0))
    limits = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    environment = {name: value for name, value in os.environ.items() if name not in limits}
    found = subprocess.run(
        [sys.executable, "-c", THREADS],
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "1", found.stderr
