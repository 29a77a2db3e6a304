"""Write files and folders atomically: they get their final name only when they are complete."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
_PARTIAL = re.compile(r"(?<![^/])\.([^/]+)\.partial(?![^/])")  # a temporary name in a path
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")  # numpy's words for it


@contextmanager
def named_when_full(path: Path) -> Iterator[None]:
    """Convert errors of a full disk or quota while `path` is written.

    Raises:
        ReidopsError: there is no space left.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _cause(error, _FULL)
        if reason is None:
            raise
        raise full_disk(_PARTIAL.sub(r"\1", str(path)), reason) from None


def full_disk(place: str, reason: str) -> ReidopsError:
    """Return the error of a disk without space for `place`."""
    return ReidopsError(
        f"{place}: no space is left on its disk ({reason}); the previous content is unchanged; free some space "
        "(`dvc gc --workspace` deletes cached data that the current pipeline does not need) and run again"
    )


@contextmanager
def _named_when_unwritable(temporary: Path) -> Iterator[None]:
    """Convert errors of a read-only folder in which `temporary` is written.

    Raises:
        ReidopsError: the folder is read-only or belongs to another user.
    """
    try:
        yield
    except OSError as error:
        reason = _cause(error, _UNWRITABLE)
        is_output = temporary.name in str(error) or error.filename in map(str, temporary.parents)
        if reason is None or not is_output:
            raise
        place = _PARTIAL.sub(r"\1", str(temporary.parent))
        raise ReidopsError(
            f"{place}: cannot be written ({reason}); make the folder writable for this user and run again"
        ) from None


def _cause(error: BaseException | None, numbers: tuple[int, ...]) -> str | None:
    """Return what the system said if an error, or the one that it replaced, has one of the numbers; else None.

    Some libraries raise a text without the number: shutil for a folder, numpy for an array.
    """
    while error is not None:
        number = errno.ENOSPC if _SHORT_WRITE.search(str(error)) else getattr(error, "errno", None)
        found = next((n for n in numbers if n == number or f"[Errno {n}]" in str(error)), None)
        if found is not None:
            return os.strerror(found)
        error = error.__context__
    return None


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; rename it to `path` if the block succeeds, delete it otherwise.

    Raises:
        ReidopsError: the disk is full or read-only.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with named_when_full(path), _named_when_unwritable(temporary):
            path.parent.mkdir(parents=True, exist_ok=True)
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
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # left behind by a killed run
    try:
        with named_when_full(path), _named_when_unwritable(temporary):
            temporary.mkdir(parents=True)
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
