"""Files and folders that appear under their final name only when they are whole."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def named_when_full(path: Path) -> Iterator[None]:
    """Let `path` be written within; say so where its disk, or the user's share of it, is full.

    Raises:
        ReidopsError: there was no space left; what to do.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ReidopsError(
            f"{path}: no space is left on its disk ({error.strerror or error}); what was there before is untouched:"
            " free some space (`dvc gc --workspace` drops what no version of the pipeline needs) and run again"
        ) from None


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` when the block ends well, delete it otherwise.

    Raises:
        ReidopsError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with named_when_full(path):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary sibling folder; let it replace `path` when the block ends well, delete it otherwise.

    Raises:
        ReidopsError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # what a killed run left behind
    partial.mkdir()
    try:
        with named_when_full(path):
            yield partial
            shutil.rmtree(path, ignore_errors=True)
            os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(data: Any, path: Path) -> None:
    """Write `data` with sorted keys, so that equal data are equal bytes."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        ReidopsError: the file is missing or is no JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; the stage that writes it has not run (`dvc repro`)") from None
    except json.JSONDecodeError as error:
        raise ReidopsError(
            f"{path}: line {error.lineno} is no JSON ({error.msg}); make the file again with `dvc repro -f`"
        ) from None


def repository_path(name: str) -> Path:
    """Return the file or folder that a param names: `~` is the user's folder, a relative path starts at the repository.

    Under `dvc exp run --temp` and `--queue` this is the original repository; its copy lacks what git ignores.
    """
    return repository_root() / Path(name).expanduser()


def repository_root() -> Path:
    """Return the folder of the DVC repository that runs us ($DVC_ROOT, also inside `dvc exp run --temp`), else the
    current one.
    """
    return Path(os.environ.get("DVC_ROOT") or os.getcwd())
