"""Run stages of dvc.yaml with `dvc repro --single-item` in subprocesses; independent of Prefect."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Literal

from reidops.errors import ReidopsError

log = logging.getLogger(__name__)

Outcome = Literal["ran", "restored from the cache", "unchanged"]


@dataclass(frozen=True)
class Graph:
    """The stages in topological order with the stages that they need, and those that differ from dvc.lock.

    `changed` is None if the comparison was not possible.
    """

    needs: Mapping[str, tuple[str, ...]]
    changed: frozenset[str] | None = None

    @property
    def stale(self) -> frozenset[str]:
        """Return the stages that can run: those that changed, and all that depend on them."""
        found: set[str] = set()
        for name, needed in self.needs.items():
            if self.changed is None or name in self.changed or found.intersection(needed):
                found.add(name)
        return frozenset(found)


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
GRACE_SECONDS = 10.0  # between Ctrl-C and SIGTERM
_ERROR = re.compile(r"error\b|Error:", re.IGNORECASE)
_DVC_FAILED = "ERROR: failed to reproduce"
_OF_DVC = ("> ", "Running stage", "Use `dvc push`", _DVC_FAILED)  # lines of DVC in the output of a stage
_PUSH = "Use `dvc push` to send your updates to remote storage."  # DVC prints it without a remote, too
_IN_TRACEBACK = ("File ", "Traceback ", "raise ")


class StageFailed(ReidopsError):
    """A stage failed, and a retry would fail again."""


class StageBusy(ReidopsError):
    """A server or the lock of DVC was not available; a retry may succeed."""


class StageLocked(StageBusy):
    """Another DVC process, e.g. a `dvc repro` that still trains, holds the lock."""


@dataclass(frozen=True)
class StageRun:
    """The outcome of a successful stage."""

    name: str
    outcome: Outcome


def read_graph(folder: Path) -> Graph:
    """Return the stages of dvc.yaml in `folder`, and which of them can have changed.

    Damaged objects of DVC's cache are put aside, with a warning each, so that their stages run again.

    Raises:
        ReidopsError: DVC cannot read the graph.
    """
    run = subprocess.run(
        [sys.executable, "-m", "flows.dvc_graph"], cwd=folder, env=_environment(), capture_output=True, text=True
    )
    if run.returncode:
        raise ReidopsError(f"{folder}: DVC cannot read the graph: {run.stderr.strip()}")
    found = json.loads(run.stdout.splitlines()[-1])
    needs = {name: tuple(found["needs"][name]) for name in TopologicalSorter(found["needs"]).static_order()}
    changed = None if found["changed"] is None else frozenset(found["changed"])
    for path in found["damaged"]:
        log.warning("%s: its object in DVC's cache was damaged and was put aside; its stage runs again", path)
    return Graph(needs, changed)


def reproduce_stage(
    name: str,
    folder: Path,
    log_line: Callable[[str], None],
    running: set[subprocess.Popen[str]],
    *,
    force: bool = False,
) -> StageRun:
    """Run one stage if it changed.

    Args:
        name: the stage.
        folder: the folder of dvc.yaml.
        log_line: called with each line of output.
        running: holds the process while it runs.
        force: run the stage although nothing that DVC knows of changed.

    Raises:
        StageFailed: the stage failed; the error has its message.
        StageLocked: another DVC process holds the lock.
        StageBusy: a server did not respond.
    """
    process = subprocess.Popen(
        _dvc("repro", "--single-item", *(["--force"] if force else []), name),
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
            if lines[-1] != _PUSH:
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
    """Return the cause of a failure in one line that begins with the name of the stage."""
    place = next((place for place, line in enumerate(lines) if any(mark in line for mark in LOCKED)), None)
    if place is not None:
        blocked = lines[place].removeprefix(f"{_DVC_FAILED} '{name}': ").removeprefix("ERROR: ")
        by = lines[place + 1].strip() if blocked.endswith(":") and len(lines) > place + 1 else ""
        return StageLocked(_named(name, f"{blocked} {by}".strip()))
    text = _named(name, _cause(name, lines))
    return StageBusy(text) if TRY_AGAIN_LATER in "\n".join(lines[-3:]) else StageFailed(text)


def _cause(name: str, lines: list[str]) -> str:
    """Return the line of the output that says why a stage failed: its own message, else its last error line."""
    output = [line.strip() for line in lines if line.strip() and not line.startswith(_OF_DVC)]
    own = [line for line in output if line.startswith(f"{name}: error: ")]
    errors = [line for line in output if _ERROR.search(line) and not line.startswith(_IN_TRACEBACK)]
    return next(iter(own[-1:] or errors[-1:] or output[-1:] or lines[-1:]), "it failed without a message")


def _named(name: str, text: str) -> str:
    return text if text.startswith(f"{name}: ") else f"{name}: {text}"


def _outcome(lines: list[str]) -> Outcome:
    text = "\n".join(lines)
    if "didn't change, skipping" in text:
        return "unchanged"
    return "restored from the cache" if "is cached - skipping run" in text else "ran"


def _dvc(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.dvc_command", str(os.getpid()), *arguments]


def _environment() -> dict[str, str]:
    """Return the environment of a stage, without telemetry, with this interpreter's programs and this package first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    library = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    return {**QUIET, **os.environ, "PATH": path, "PYTHONPATH": library}
