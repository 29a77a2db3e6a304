"""End a process with those that started it: a stage with DVC, whose lock it needs, and DVC with its flow."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from multiprocessing import current_process

import psutil

_STAGE = "DVC_STAGE"  # DVC sets this variable for the processes of a stage, and its own process does not have it
_SECONDS = 0.5  # between two checks


@cache
def end_with_dvc() -> None:
    """Send SIGTERM to this process as soon as DVC, or a process between DVC and this one, has ended.

    A daemon thread checks twice a second. A training that receives SIGTERM saves its checkpoint. A stage that was
    started without DVC is not affected: it may survive the terminal that started it (`nohup`). Workers of a stage call
    this, too.
    """
    stage = os.environ.get(_STAGE)
    above = _processes_up_to_dvc(stage) if stage else None
    if above is not None:
        _watch(above, f"{stage}: DVC has ended, so this stage ends; `dvc repro` continues")


def end_with_parent(pid: int, message: str) -> None:
    """Send SIGTERM to this process as soon as its parent, process `pid`, has ended, and print the message."""
    parent = psutil.Process().parent()
    _watch([parent] if parent is not None and parent.pid == pid else [], message)


def _watch(above: list[psutil.Process], message: str) -> None:
    threading.Thread(target=_end_with, args=(above, message), daemon=True, name="watch the parents").start()


def _processes_up_to_dvc(stage: str) -> list[psutil.Process] | None:
    """Return the ancestors of this process up to DVC: shells, `torchrun`, stages that start stages.

    [] if DVC has ended already: it has the session of the processes that it starts, and the process that adopts an
    orphan has another one. None if no ancestor can be DVC.
    """
    above: list[psutil.Process] = []
    session = os.getsid(0)
    with suppress(psutil.Error, ProcessLookupError):
        for process in psutil.Process().parents():
            above.append(process)
            if not _has_stage(process, stage):
                return above if os.getsid(process.pid) == session else []
            session = os.getsid(process.pid)
        return None
    return []


def _has_stage(process: psutil.Process, stage: str) -> bool:
    try:
        return process.environ().get(_STAGE) == stage
    except psutil.AccessDenied:  # a process of another user
        return False


def _end_with(above: list[psutil.Process], message: str) -> None:
    while above and all(_is_alive(process) for process in above):
        time.sleep(_SECONDS)
    if current_process().name == "MainProcess":  # not a worker of `map_parallel`
        with suppress(OSError, ValueError):  # the error stream may be closed
            print(message, file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
