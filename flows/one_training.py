"""At most one flow at a time trains in a repository, whatever its deployment.

The concurrency limit of a deployment counts the runs of that deployment only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def only_training(root: Path) -> Iterator[bool]:
    """Yield True and keep other flows from training in `root` until the block ends; yield False if one trains already.

    A flow that trains may call another one: blocks of one process are nested. The lock ends with the process.
    """
    path = root / ".cache" / "training.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, is_singleton=True, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def left_out(root: Path) -> str:
    """Return the message of a run that does nothing because another one trains."""
    return f"another run trains in {root}; this run is left out"
