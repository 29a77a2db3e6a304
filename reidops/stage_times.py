"""The time per frame of a stage, in a file beside its output.

Times differ in each run, so no output that DVC hashes holds them.
"""

import hashlib
from pathlib import Path

from reidops.errors import ReidopsError
from reidops.files import read_json, sha256, write_json

FOLDER = "times"


def keep_times(out: Path, ms_per_frame: dict[str, float]) -> None:
    """Write the times of the steps that made the folder `out` to `times/<name of out>.json` beside it."""
    path = _path(out)
    path.parent.mkdir(exist_ok=True)
    write_json({"output": _digest(out), "ms_per_frame": ms_per_frame}, path)


def read_times(out: Path) -> dict[str, float]:
    """Return the times, ms per frame by step; empty if the folder `out` was restored from the cache or changed."""
    try:
        record = read_json(_path(out))
    except ReidopsError:
        return {}
    return record["ms_per_frame"] if record["output"] == _digest(out) else {}


def _path(out: Path) -> Path:
    return out.parent / FOLDER / f"{out.name}.json"


def _digest(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
