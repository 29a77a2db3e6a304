"""A real server and a real runner: a cancelled run takes its stage with it, and a killed one does not stay Running."""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from prefect.settings import PREFECT_API_URL, temporary_settings
from test_stage_runs import toy_repository

from flows.automations import crash_automation, write_automation
from flows.serve import standing_server

pytestmark = pytest.mark.slow

SLOW = "stages:\n  fetch:\n    cmd: rm -f pid; echo $$ > pid.new && mv pid.new pid && sleep 900\n"
DEPLOYMENT = "deployments:\n  - name: nightly\n    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}\n"
PATIENCE_SECONDS = 400
ENDED = {"CANCELLED", "COMPLETED", "CRASHED", "FAILED"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a server with a database of its own."""
    with pytest.MonkeyPatch.context() as patch, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        patch.setenv("PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY", "PT1S")
        free.close()
        with standing_server(port=port) as url, temporary_settings({PREFECT_API_URL: url}):
            patch.setenv("PREFECT_API_URL", url)
            yield url


@pytest.fixture
def runner(api: str, tmp_path: Path, root: Path) -> Iterator[subprocess.Popen]:
    """Yield `python -m flows.serve` in a repository with one slow stage."""
    toy_repository(tmp_path, SLOW)
    (tmp_path / "prefect.yaml").write_text(DEPLOYMENT)
    (tmp_path / "prefect.toml").write_text("[flows]\nheartbeat_frequency = 30\n")
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.serve"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root), "PREFECT_RUNNER_POLL_FREQUENCY": "1"},
            stdout=log,
            stderr=log,
        )
    yield process
    for left in (*_children(process), process):
        left.kill()
    process.wait()


def _children(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []


def wait_until(found: Callable[[], object], folder: Path) -> object:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
        time.sleep(0.2)
    return value


def start_run(api: str, folder: Path) -> tuple[str, psutil.Process]:
    """Start a run of the deployment; return its id and the process of its stage."""
    wait_until(lambda: requests.get(f"{api}/deployments/name/retrain/nightly", timeout=120).ok, folder)
    deployment = requests.get(f"{api}/deployments/name/retrain/nightly", timeout=120).json()["id"]
    # A busy server refuses requests while its database is locked; the key makes the repeated request the same run.
    request = {"idempotency_key": str(uuid.uuid4())}
    address = f"{api}/deployments/{deployment}/create_flow_run"
    run = str(wait_until(lambda: requests.post(address, json=request, timeout=120).json().get("id"), folder))
    wait_until((folder / "pid").exists, folder)
    return run, psutil.Process(int((folder / "pid").read_text()))


def state_of(api: str, run: str) -> str:
    return requests.get(f"{api}/flow_runs/{run}", timeout=120).json()["state"]["type"]


def test_a_cancelled_run_takes_its_stage_with_it(api, runner, tmp_path):
    run, stage = start_run(api, tmp_path)
    cancelling = {"state": {"type": "CANCELLING"}}
    wait_until(lambda: requests.post(f"{api}/flow_runs/{run}/set_state", json=cancelling, timeout=120).ok, tmp_path)
    wait_until(lambda: not stage.is_running(), tmp_path)
    assert wait_until(lambda: state_of(api, run) in ENDED and state_of(api, run), tmp_path) == "CANCELLED"


def test_a_killed_run_becomes_crashed_and_the_next_one_runs(api, runner, tmp_path):
    """With 10 seconds of silence; the real automation waits 90."""
    run, stage = start_run(api, tmp_path)
    write_automation(crash_automation(silence_seconds=10))
    for process in _children(runner):
        if process.is_running() and "dvc" not in " ".join(process.cmdline()) and process.pid != stage.pid:
            process.kill()
    assert wait_until(lambda: state_of(api, run) in ENDED and state_of(api, run), tmp_path) == "CRASHED"
    write_automation(crash_automation())  # ten seconds are less than the time between two heartbeats
    (tmp_path / "pid").unlink()
    again, _ = start_run(api, tmp_path)
    assert state_of(api, again) == "RUNNING"
