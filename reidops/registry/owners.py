"""Who writes a run: a tag with host, process and the end of a lease, so that no other process deletes a living run."""

import json
import os
import socket
import time
from collections.abc import Mapping

import psutil

OWNER = "result.owner"
LEASE_SECONDS = 900.0
"""Time after which a run of another host that did not end counts as broken; logging a result takes seconds."""


def own_tag() -> dict[str, str]:
    """Return the tag that names this process and its lease."""
    pid = os.getpid()
    owner = {
        "host": socket.gethostname(),
        "pid": pid,
        "born": psutil.Process(pid).create_time(),
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
        return abs(psutil.Process(owner["pid"]).create_time() - owner["born"]) < 1
    except psutil.NoSuchProcess:
        return False
