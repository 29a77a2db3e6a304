"""Run stages of dvc.yaml as a hand-typed `dvc repro --single-item` does, in a process of their own. Knows no
Prefect.
"""

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
"""What keeps the tools from calling home, and a stage's lines coming as they are written."""

LOCKED = ("Unable to acquire lock", "is busy, it is being blocked by", "index.lock")
TRY_AGAIN_LATER = "exited with 75"  # EX_TEMPFAIL: a stage whose server or network did not answer
LINES_TOLD = 20
GRACE_SECONDS = 10.0  # between Ctrl-C and SIGTERM
_ERROR = re.compile(r"\berror\b", re.IGNORECASE)


class StageFailed(ReidopsError):
    """A stage failed, and would fail again."""


class StageBusy(ReidopsError):
    """DVC's lock or a server was not to be had; the same command may succeed later."""


@dataclass(frozen=True)
class StageRun:
    """How a stage ended well."""

    name: str
    outcome: Outcome


def read_graph(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return each stage of `folder`'s dvc.yaml with the stages that it needs, in an order in which they can run.

    Raises:
        ReidopsError: DVC cannot read the graph.
    """
    dot = _dvc_output(folder, "dag", "--dot")
    needs: dict[str, list[str]] = {name: [] for name in re.findall(r'^"([^"]+)";$', dot, re.MULTILINE)}
    for needed, name in re.findall(r'^"([^"]+)" -> "([^"]+)";$', dot, re.MULTILINE):
        needs[name].append(needed)
    return {name: tuple(needs[name]) for name in TopologicalSorter(needs).static_order()}


def reproduce_stage(
    name: str, folder: Path, tell: Callable[[str], None], running: set[subprocess.Popen[str]]
) -> StageRun:
    """Bring one stage up to date; `tell` gets every line as it comes, `running` holds the process for as long as it
    lives.

    Raises:
        StageFailed: the stage's own message is in the error.
        StageBusy: another DVC holds the lock, or a server did not answer.
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
            tell(lines[-1])
        process.wait()
    finally:
        interrupt([process])
        running.discard(process)
    if process.returncode:
        raise _failure(name, lines)
    return StageRun(name, _outcome(lines))


def interrupt(processes: list[subprocess.Popen[str]]) -> None:
    """Stop those that still run, and what they started: by Ctrl-C, and where that is ignored (background jobs inherit
    it so) by SIGTERM.
    """
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGTERM)


def _failure(name: str, lines: list[str]) -> ReidopsError:
    """Return the error that says what the stage said: from its first error line on, without the command and DVC's own
    echo of it.
    """
    said = [
        line
        for line in lines
        if line.strip() and not line.startswith(("> ", "Running stage", "ERROR: failed to reproduce"))
    ]
    first = next((i for i, line in enumerate(said) if _ERROR.search(line)), 0)
    text = "\n".join(said[first:][-LINES_TOLD:] or lines[-1:])
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
        raise ReidopsError(f"{folder}: `dvc {' '.join(arguments)}` says: {run.stderr.strip()}")
    return run.stdout


def _environment() -> dict[str, str]:
    """Return the environment of a stage: quiet, and with this interpreter's programs first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**QUIET, **os.environ, "PATH": path}
