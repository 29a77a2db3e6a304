"""Repair the table of paths in use that DVC keeps, after a kill during a write left it truncated."""

import json
import time
from pathlib import Path

RWLOCK = Path(".dvc", "tmp", "rwlock")
_WRITE_SECONDS = 0.5  # longer than a write of the table by a living process


def remove_damaged_rwlock(folder: Path) -> bool:
    """Remove the table if it is not JSON, and return whether it was removed.

    DVC refuses every command that runs a stage while the table is damaged. The table names the processes that read or
    write a path; a damaged one names none, so nothing more is lost. A table that another process writes at this moment
    is left.

    Args:
        folder: the folder of dvc.yaml.
    """
    path = folder / RWLOCK
    if _is_sound(path):
        return False
    time.sleep(_WRITE_SECONDS)
    if _is_sound(path):
        return False
    path.unlink(missing_ok=True)
    return True


def _is_sound(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return False
    except FileNotFoundError:
        return True
    return True
