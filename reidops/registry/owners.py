"""Who writes a run: a tag with host, process and the end of a lease, so that no other process deletes a living run."""

import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

OWNER = "result.owner"
LEASE_SECONDS = 900.0
"""Time after which a run of another host that did not end counts as broken; logging a result takes seconds."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_START_TICKS = 19  # the place of `starttime` in /proc/PID/stat, counted after the name of the program


def own_tag() -> dict[str, str]:
    """Return the tag that names this process and its lease."""
    pid = os.getpid()
    owner = {
        "host": socket.gethostname(),
        "pid": pid,
        "born": _birth(pid),
        "until": time.time() + LEASE_SECONDS,
    }
    return {OWNER: json.dumps(owner)}


def is_living(tags: Mapping[str, str], start_ms: int) -> bool:
    """Return whether the process that writes an unfinished run can still be at work.

    A process of this host is looked up; one of another host is believed until its lease ends. A run without the tag, of
    an earlier version, is believed for the length of a lease after its start.
    """
    try:
        owner = json.loads(tags[OWNER])
    except (KeyError, ValueError):
        return time.time() < start_ms / 1000 + LEASE_SECONDS
    if owner["host"] != socket.gethostname():
        return time.time() < owner["until"]
    try:
        return _birth(owner["pid"]) == owner["born"]
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


def _birth(pid: int) -> str:
    """Return an identifier that a later process of the same number does not have, also if the clock was set.

    On Linux this is the boot and the ticks between the boot and the start of the process. The date of its start, which
    psutil gives, moves with the clock.
    """
    if not _BOOT.is_file():
        return str(psutil.Process(pid).create_time())
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_START_TICKS]
    return f"{_BOOT.read_text().strip()}:{ticks}"
