"""How long a run blocks the next one if its host loses power: a trial of benchmarks/conditions.py.

`flows.serve` and the process of its run are killed in a given state of the run, and `flows.serve` is started again. New
runs of the deployment are asked for until one is not refused.
"""

import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests
from clones import Clone, Row
from faults import DVC
from three_retrainings import ROOT

SLOW = "stages:\n  fetch:\n    cmd: sleep 900\n"
DEPLOYMENT = "deployments:\n  - name: nightly\n    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}\n"
BOUNDS = {"RUNNING": 150.0, "PENDING": 400.0}  # seconds: the automation's 90, or the lease of 300, and slack
PATIENCE_SECONDS = 600.0
WAITING = ("SCHEDULED", "PENDING")
ALIVE = (*WAITING, "RUNNING")


def try_hosts(folder: Path) -> Iterator[Row]:
    """Yield a row per state in which the host goes down."""
    folder.mkdir()
    clone = Clone(folder, {"PREFECT_HOME": str(folder / "prefect"), "PYTHONPATH": str(ROOT)})
    clone.run([*DVC, "init", "--quiet", "--no-scm"])
    (folder / "dvc.yaml").write_text(SLOW)
    (folder / "prefect.yaml").write_text(DEPLOYMENT)
    (folder / "prefect.toml").write_text((ROOT / "prefect.toml").read_text())
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = str(listener.getsockname()[1])
    address = f"http://127.0.0.1:{port}/api"
    with _running(clone, "prefect", "server", "start", "--port", port):
        _until(lambda: requests.get(f"{address}/health", timeout=10).ok)
        for state, bound in BOUNDS.items():
            yield _kill_host(Clone(folder, {**clone.variables, "PREFECT_API_URL": address}), address, state, bound)


def _kill_host(clone: Clone, address: str, state: str, bound: float) -> Row:
    with _running(clone, "flows.serve"):
        _until(lambda: requests.get(f"{address}/deployments/name/retrain/nightly", timeout=10).ok)
        deployment = requests.get(f"{address}/deployments/name/retrain/nightly", timeout=60).json()["id"]
        run = _until(lambda: _run_in_state(address, deployment, state))
    killed, ended, next_run = time.monotonic(), None, None
    with _running(clone, "flows.serve"):
        while (ended is None or next_run is None) and time.monotonic() < killed + PATIENCE_SECONDS:
            if ended is None and _state(address, run) not in ALIVE:
                ended = time.monotonic() - killed
            if next_run is None and _starts(address, deployment):
                next_run = time.monotonic() - killed
            time.sleep(5)
    seconds = ["never" if value is None else f"after {value:.0f} s" for value in (next_run, ended)]
    found = f"the next run ran {seconds[0]}; the killed one was Crashed {seconds[1]}"
    holds = next_run is not None and ended is not None and next_run < bound
    return Row(f"host lost while a run is {state.capitalize()}, then `flows.serve` again", found, holds)


@contextmanager
def _running(clone: Clone, *module: str) -> Iterator[None]:
    """Run a module for the length of the block, then kill it and all that it started."""
    with open(clone.folder / "log", "a") as log:
        process = clone.start([sys.executable, "-m", *module], log)
    try:
        yield
    finally:
        for left in (*psutil.Process(process.pid).children(recursive=True), process):
            left.kill()
        process.wait()


def _until(found: Callable[[], Any], pause: float = 1.0) -> Any:
    """Return the first true value; a busy server refuses requests for a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if value := found():
                return value
        except (requests.RequestException, KeyError):
            pass
        time.sleep(pause)
    sys.exit("conditions: the Prefect server does not answer")


def _run_in_state(address: str, deployment: str, state: str) -> str | None:
    """Return a new run when it is in a state; None if it was refused, as the lease of an earlier one still lasts."""
    run = _new_run(address, deployment)
    while (found := _state(address, run)) in ALIVE:
        if found == state:
            return run
        time.sleep(0.05)
    return None


def _new_run(address: str, deployment: str) -> str:
    request = {"idempotency_key": str(uuid.uuid4())}  # a repeated request is the same run
    place = f"{address}/deployments/{deployment}/create_flow_run"
    return str(_until(lambda: requests.post(place, json=request, timeout=60).json()["id"]))


def _state(address: str, run: str) -> str:
    return str(_until(lambda: requests.get(f"{address}/flow_runs/{run}", timeout=60).json()["state"]["type"]))


def _starts(address: str, deployment: str) -> bool:
    """Return whether a new run is not refused."""
    run = _new_run(address, deployment)
    return _until(lambda: (state := _state(address, run)) not in WAITING and state) == "RUNNING"
