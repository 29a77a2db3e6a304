"""Write files and folders atomically: they get their final name only when they are complete."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def named_when_full(path: Path) -> Iterator[None]:
    """Convert errors of a full disk or quota while `path` is written.

    Raises:
        ReidopsError: there is no space left.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise ReidopsError(
            f"{path}: no space is left on its disk ({error.strerror or error}); the previous content is unchanged; "
            "free some space (`dvc gc --workspace` deletes cached data that the current pipeline does not need) and "
            "run again"
        ) from None


@contextmanager
def _named_when_unwritable(temporary: Path) -> Iterator[None]:
    """Convert errors of a read-only folder in which `temporary` is written.

    Raises:
        ReidopsError: the folder is read-only or belongs to another user.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNWRITABLE or temporary.name not in str(error.filename):
            raise
        raise ReidopsError(
            f"{temporary.parent}: cannot be written ({error.strerror}); make the folder writable for this user and run "
            "again"
        ) from None


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` if the block succeeds, delete it otherwise.

    Raises:
        ReidopsError: the disk is full or read-only.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with named_when_full(path), _named_when_unwritable(temporary):
            yield temporary
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary sibling folder; replace `path` by it if the block succeeds, delete it otherwise.

    Raises:
        ReidopsError: the disk is full or read-only.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # left behind by a killed run
    with _named_when_unwritable(temporary):
        temporary.mkdir()
    try:
        with named_when_full(path), _named_when_unwritable(temporary):
            yield temporary
            shutil.rmtree(path, ignore_errors=True)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(data: Any, path: Path) -> None:
    """Write `data` as JSON with sorted keys, so that equal data give equal bytes."""
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        ReidopsError: the file is missing or not valid JSON.
    """
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; run the stage that writes it (`dvc repro`)") from None
    except json.JSONDecodeError as error:
        raise ReidopsError(
            f"{path}: line {error.lineno} is not valid JSON ({error.msg}); make the file again with `dvc repro -f`"
        ) from None


def repository_path(name: str) -> Path:
    """Return the file or folder that a param names: `~` is the user's folder, a relative path starts at the repository.

    Under `dvc exp run --temp` and `--queue` this is the original repository; its copy lacks what git ignores.
    """
    return repository_root() / Path(name).expanduser()


def repository_root() -> Path:
    """Return the root of the DVC repository ($DVC_ROOT, which `dvc exp run --temp` also sets) or the current folder."""
    return Path(os.environ.get("DVC_ROOT") or os.getcwd())
