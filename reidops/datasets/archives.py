"""Unpack zip and tar archives that come from elsewhere: nothing outside the folder, no links, no more than was agreed."""

import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from reidops.errors import ReidopsError

_READ_BYTES = 1 << 20
# Frames are JPEGs and hardly shrink; text shrinks to a tenth. What grows beyond this is no data set.
_MOST_GROWTH = 20
_ALWAYS_ALLOWED_BYTES = 64 << 20


@dataclass(frozen=True)
class _Member:
    path: PurePosixPath
    num_bytes: int
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path, folder: Path, *, wanted: Callable[[PurePosixPath], bool] | None = None, max_bytes: int | None = None
) -> int:
    """Unpack the wanted files of a zip or tar (also compressed) below `folder` and return their number.

    Args:
        wanted: takes a member's path; all files where it is None.
        max_bytes: the bound on the unpacked size; 20 times the archive and 64 MiB where it is None.

    Raises:
        ReidopsError: the archive is no archive or cut off, is encrypted, leads out of the folder, holds links, or unpacks
            to more than `max_bytes`; what was unpacked until then stays, so `folder` should be a temporary one.
    """
    limit = max_bytes if max_bytes is not None else _MOST_GROWTH * archive.stat().st_size + _ALWAYS_ALLOWED_BYTES
    with _reading(archive), _open(archive) as container:
        members = [member for member in _members(container, archive) if wanted is None or wanted(member.path)]
        left = limit
        for member in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None, leave=False):
            left -= _write(member, folder, left, f"{archive}: unpacks to more than {limit:,} bytes")
    return len(members)


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise ReidopsError(f"{archive}: is cut off or no archive ({error}); delete it and fetch it again") from None
    except (RuntimeError, NotImplementedError) as error:  # zipfile's words for encrypted and for unknown compression
        raise ReidopsError(f"{archive}: cannot be unpacked ({error}); unpack it by hand and name its folder in download.local") from None
    except OSError as error:
        raise ReidopsError(f"{archive}: {error.strerror or error} while unpacking; free some space and run again") from None


def _open(archive: Path) -> zipfile.ZipFile | tarfile.TarFile:
    if zipfile.is_zipfile(archive) or archive.suffix == ".zip":
        return zipfile.ZipFile(archive)
    return tarfile.open(archive)


def _members(container: zipfile.ZipFile | tarfile.TarFile, archive: Path) -> Iterator[_Member]:
    listing = _zip_members(container) if isinstance(container, zipfile.ZipFile) else _tar_members(container)
    for name, num_bytes, kind, opener in listing:
        path = _safe_path(name, archive)
        if kind == "other":
            raise ReidopsError(f"{archive}: {name} is a link or a device, which is not unpacked; unpack it by hand if you trust it")
        if kind == "file" and "__MACOSX" not in path.parts:
            yield _Member(path, num_bytes, opener)


def _zip_members(container: zipfile.ZipFile) -> Iterator[tuple]:
    for info in container.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)
        kind = "folder" if info.is_dir() else "file" if mode in (0, stat.S_IFREG) else "other"
        yield info.filename, info.file_size, kind, lambda info=info: container.open(info)


def _tar_members(container: tarfile.TarFile) -> Iterator[tuple]:
    for info in container.getmembers():
        kind = "folder" if info.isdir() else "file" if info.isreg() else "other"
        yield info.name, info.size, kind, lambda info=info: container.extractfile(info)


def _safe_path(name: str, archive: Path) -> PurePosixPath:
    """Return a member's path, which must stay inside the folder on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise ReidopsError(f"{archive}: {name!r} leads out of the folder; the archive is not to be trusted, nothing is unpacked")
    return path


def _write(member: _Member, folder: Path, most: int, too_large: str) -> int:
    """Write one member and return its bytes; counted as they come, because a header can lie."""
    target = folder / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with member.open() as source, open(target, "wb") as stream:
        while block := source.read(_READ_BYTES):
            written += len(block)
            if written > most:
                raise ReidopsError(f"{too_large} (while writing {member.path}); it is no data set, or unpack it by hand")
            stream.write(block)
    if written != member.num_bytes:
        raise EOFError(f"{member.path} ends after {written} of {member.num_bytes} bytes")
    return written
