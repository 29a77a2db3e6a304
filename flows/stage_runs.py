"""Run stages of dvc.yaml with `dvc repro --single-item` in subprocesses; independent of Prefect."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Literal

from reidops.errors import ReidopsError

Outcome = Literal["ran", "restored from the cache", "unchanged"]

QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "DVC_STUDIO_OFFLINE": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "PYTHONUNBUFFERED": "1",
}
"""Environment variables that disable telemetry and the buffering of a stage's output."""

LOCKED = ("Unable to acquire lock", "is busy, it is being blocked by", "index.lock")
TRY_AGAIN_LATER = "exited with 75"  # EX_TEMPFAIL: a server or the network was unreachable
MAX_LINES = 20  # of a stage's output in an error message
GRACE_SECONDS = 10.0  # between Ctrl-C and SIGTERM
_ERROR = re.compile(r"\berror\b", re.IGNORECASE)


class StageFailed(ReidopsError):
    """A stage failed, and a retry would fail again."""


class StageBusy(ReidopsError):
    """The DVC lock or a server was not available; a retry may succeed."""


@dataclass(frozen=True)
class StageRun:
    """The outcome of a successful stage."""

    name: str
    outcome: Outcome


def read_graph(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the stages of dvc.yaml in `folder` with their dependencies, in topological order.

    Raises:
        ReidopsError: DVC cannot read the graph.
    """
    dot = _dvc_output(folder, "dag", "--dot")
    needs: dict[str, list[str]] = {name: [] for name in re.findall(r'^"([^"]+)";$', dot, re.MULTILINE)}
    for needed, name in re.findall(r'^"([^"]+)" -> "([^"]+)";$', dot, re.MULTILINE):
        needs[name].append(needed)
    return {name: tuple(needs[name]) for name in TopologicalSorter(needs).static_order()}


def reproduce_stage(
    name: str, folder: Path, log_line: Callable[[str], None], running: set[subprocess.Popen[str]]
) -> StageRun:
    """Run one stage if it changed.

    Args:
        name: the stage.
        folder: the folder of dvc.yaml.
        log_line: called with each line of output.
        running: holds the process while it runs.

    Raises:
        StageFailed: the stage failed; the error has its message.
        StageBusy: another DVC process holds the lock, or a server did not respond.
    """
    process = subprocess.Popen(
        _dvc("repro", "--single-item", name),
        cwd=folder,
        env=_environment(),
        text=True,
        errors="replace",
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    running.add(process)
    lines = []
    try:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            log_line(lines[-1])
        process.wait()
    finally:
        interrupt([process])
        running.discard(process)
    if process.returncode:
        raise _failure(name, lines)
    return StageRun(name, _outcome(lines))


def interrupt(processes: list[subprocess.Popen[str]]) -> None:
    """Stop the process groups that still run with SIGINT, and after a grace period with SIGTERM.

    Background jobs inherit an ignored SIGINT.
    """
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGTERM)


def _failure(name: str, lines: list[str]) -> ReidopsError:
    """Return an error with the output of the stage from its first error line on, without the lines of DVC."""
    output = [
        line
        for line in lines
        if line.strip() and not line.startswith(("> ", "Running stage", "ERROR: failed to reproduce"))
    ]
    first = next((i for i, line in enumerate(output) if _ERROR.search(line)), 0)
    text = "\n".join(output[first:][-MAX_LINES:] or lines[-1:])
    if any(mark in text for mark in LOCKED) or TRY_AGAIN_LATER in "\n".join(lines[-3:]):
        return StageBusy(f"{name}: {text}")
    return StageFailed(f"{name}: {text}")


def _outcome(lines: list[str]) -> Outcome:
    text = "\n".join(lines)
    if "didn't change, skipping" in text:
        return "unchanged"
    return "restored from the cache" if "is cached - skipping run" in text else "ran"


def _dvc(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]


def _dvc_output(folder: Path, *arguments: str) -> str:
    run = subprocess.run(_dvc(*arguments), cwd=folder, env=_environment(), capture_output=True, text=True)
    if run.returncode:
        raise ReidopsError(f"{folder}: `dvc {' '.join(arguments)}` failed: {run.stderr.strip()}")
    return run.stdout


def _environment() -> dict[str, str]:
    """Return the environment of a stage, without telemetry and with this interpreter's programs first in PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**QUIET, **os.environ, "PATH": path}
