"""Unpack untrusted zip and tar archives: no paths outside the folder, no links, a bound on the unpacked size."""

import errno
import gzip
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from reidops.datasets.containers import Member, TarContainer, TooLarge, ZipContainer, open_container
from reidops.errors import ReidopsError
from reidops.files import whole_folder
from reidops.progress_bar import progress_bar

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")

_READ_BYTES = 1 << 20
# JPEG files hardly shrink and text shrinks to a tenth, so that a data set stays below this factor.
_MOST_GROWTH = 20
_ALWAYS_ALLOWED_BYTES = 64 << 20
_LEAST_FILE_BYTES = 4096  # minimum size of a file on the disk, so that a million empty files exceed the bound, too
_MOST_FOLDERS = 32  # maximum depth of a file
_CUT_OFF = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, struct.error)
_SPACE = (errno.ENOSPC, errno.EDQUOT)

Wanted = Callable[[PurePosixPath], bool]


def unpack(
    archives: Sequence[Path], folder: Path, *, wanted: Wanted | None = None, max_bytes: int | None = None
) -> int:
    """Unpack the wanted files of zip and tar archives (also compressed) to a new `folder` and return their number.

    The folder is created only after everything is unpacked; an error leaves the previous state. A file that occurs
    twice must be identical. On a file system that ignores case, this also holds for names that differ in case only.
    Names that are not UTF-8 are decoded as code page 437, as in zip.

    Args:
        wanted: a predicate on a member's path; None selects all files.
        max_bytes: bound on the unpacked size of one archive; None means 20 times the size of the archive plus 64 MiB. A
            file counts as 4 KiB at least.

    Raises:
        ReidopsError: an archive is truncated, invalid or encrypted, has a path outside the folder or a link, or unpacks
            to more than `max_bytes`; or the disk is full.
    """
    with whole_folder(folder) as partial:
        return sum(_unpack_one(archive, partial, wanted, max_bytes) for archive in archives)


def fault_of_archive(path: Path, name: str) -> str | None:
    """Return why a file is not a complete archive of the kind that the suffix of `name` states, else None.

    Names without the suffix of an archive are only checked for being a web page.
    """
    with open(path, "rb") as stream:
        beginning = stream.read(512).lstrip().lower()
    if beginning.startswith((b"<!doctype html", b"<html")):
        return "is a web page instead of the archive; open the address in a browser to see why"
    if name.endswith(".zip") and not zipfile.is_zipfile(path):
        return "is cut off or no zip archive: the directory at its end is missing"
    if name.endswith(ARCHIVE_SUFFIXES[1:]) and not tarfile.is_tarfile(path):
        return "is no tar archive"
    return None


def _unpack_one(archive: Path, folder: Path, wanted: Wanted | None, max_bytes: int | None) -> int:
    limit = max_bytes if max_bytes is not None else _MOST_GROWTH * archive.stat().st_size + _ALWAYS_ALLOWED_BYTES
    num_files = 0
    with _reading(archive, limit), open_container(archive, limit) as container, _bar(archive, container) as bar:
        members: Iterable = _chosen(container.members(), archive, wanted, limit)
        if container.has_index:
            members = list(members)  # every member is checked before anything is written
        for path, member in members:
            _write(member, folder / path)
            num_files += 1
            bar.update(container.position() - bar.n)
    return num_files


def _bar(archive: Path, container: ZipContainer | TarContainer) -> tqdm:
    total = container.num_bytes
    return progress_bar(desc=f"unpack {archive.name}", total=total, unit="B", unit_scale=True)


@contextmanager
def _reading(archive: Path, limit: int) -> Iterator[None]:
    """Convert errors of the archive libraries to ReidopsError."""
    try:
        yield
    except TooLarge as error:
        raise ReidopsError(
            f"{archive}: unpacks to more than {limit:,} bytes ({error}); check that it is a data set, then unpack it "
            f"by hand"
        ) from None
    except UnicodeDecodeError as error:  # a subclass of ValueError
        raise ReidopsError(
            f"{archive}: a file name is declared as UTF-8 but is not ({error}); unpack the archive by hand"
        ) from None
    except _CUT_OFF as error:
        raise ReidopsError(f"{archive}: is cut off or no archive ({error}); delete it and fetch it again") from None
    except (RuntimeError, NotImplementedError) as error:  # zipfile's errors for encryption and unknown compression
        raise ReidopsError(
            f"{archive}: cannot be unpacked ({error}); unpack it by hand and name its folder in download.local"
        ) from None
    except OSError as error:
        if error.errno is None:  # bz2's error for invalid data
            raise ReidopsError(f"{archive}: is cut off or no archive ({error}); delete it and fetch it again") from None
        what = "free some space and run again" if error.errno in _SPACE else "fix the cause and run again"
        raise ReidopsError(
            f"{archive}: {error.strerror} while unpacking ({error.filename or 'writing'}); {what}"
        ) from None


def _chosen(
    members: Iterable[Member], archive: Path, wanted: Wanted | None, limit: int
) -> Iterator[tuple[PurePosixPath, Member]]:
    """Yield the wanted files with their paths.

    Every member is checked, also those that are not wanted, because one unsafe member makes the archive untrusted.
    """
    declared = 0
    for member in members:
        path = _safe_path(member.name, archive)
        if member.kind == "other":
            raise ReidopsError(
                f"{archive}: {member.name!r} is a link or a device; nothing is unpacked; unpack the archive by hand if "
                f"you trust it"
            )
        if member.kind == "folder" or "__MACOSX" in path.parts or not (wanted is None or wanted(path)):
            continue
        declared += max(member.num_bytes, _LEAST_FILE_BYTES)
        if declared > limit:
            raise TooLarge(f"at {path}")
        yield path, member


def _safe_path(name: str, archive: Path) -> PurePosixPath:
    """Return a member's path, which must be inside the folder on any operating system."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise ReidopsError(
            f"{archive}: {name!r} is outside the folder; nothing is unpacked; get the archive from its publisher again"
        )
    if len(path.parts) > _MOST_FOLDERS:
        raise ReidopsError(
            f"{archive}: {name[:80]!r} … is more than {_MOST_FOLDERS} folders deep; nothing is unpacked; get the "
            f"archive from its publisher again"
        )
    return path


def _write(member: Member, target: Path) -> None:
    """Write one member, at most the bytes that its header declares, because a header can be wrong."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = open(target, "xb")  # noqa: SIM115 — closed below
    except (FileExistsError, NotADirectoryError):
        _check_same(member, target)
        return
    written = 0
    with stream, member.open() as source:
        while block := source.read(_READ_BYTES):
            written += len(block)
            if written > member.num_bytes:
                raise TooLarge(f"{member.name} is larger than its header declares")
            stream.write(block)
    if written != member.num_bytes:
        raise EOFError(f"{member.name} ends after {written} of {member.num_bytes} bytes")


def _check_same(member: Member, target: Path) -> None:
    """Raise an error if a second member with the name of `target` differs from it."""
    if target.is_file() and target.stat().st_size == member.num_bytes:
        with open(target, "rb") as first, member.open() as second:
            if all(first.read(len(block)) == block for block in iter(lambda: second.read(_READ_BYTES), b"")):
                return
    raise zipfile.BadZipFile(f"{member.name!r} occurs twice with different contents, or is a file and a folder")
