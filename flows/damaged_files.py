"""Put aside files of DVC that a kill during a write left truncated; DVC refuses to run a stage while they are there."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import yaml

RWLOCK = Path(".dvc", "tmp", "rwlock")  # the paths that DVC processes read or write at this moment
LOCK = Path("dvc.lock")  # the digests of the stages' outputs; DVC finds the outputs of equal inputs in its cache
ASIDE = Path(".dvc", "tmp")
_WRITE_SECONDS = 0.5  # longer than a living process writes one of them


def put_damaged_aside(folder: Path) -> list[Path]:
    """Move damaged files to `.dvc/tmp/<name>.damaged`, and return their paths, relative to `folder`.

    Nothing more is lost: the table of paths is that of the killed process, and the stages of dvc.lock are restored from
    the cache. A file that another process writes at this moment is left. So is a dvc.lock with conflicts of git, which
    DVC reports.

    Args:
        folder: the folder of dvc.yaml.
    """
    damaged = [name for name, is_sound in _SOUND.items() if not is_sound(folder / name)]
    if damaged:
        time.sleep(_WRITE_SECONDS)
    damaged = [name for name in damaged if not _SOUND[name](folder / name)]
    for name in damaged:
        (folder / ASIDE).mkdir(parents=True, exist_ok=True)
        (folder / name).rename(folder / ASIDE / f"{name.name}.damaged")
    return damaged


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def _is_lock(path: Path) -> bool:
    try:
        text = path.read_bytes()
        content = yaml.safe_load(text)
    except FileNotFoundError:
        return True
    except yaml.YAMLError:
        return b"\n<<<<<<< " in b"\n" + text
    return isinstance(content, dict) and "schema" in content


_SOUND: dict[Path, Callable[[Path], bool]] = {RWLOCK: _is_json, LOCK: _is_lock}
