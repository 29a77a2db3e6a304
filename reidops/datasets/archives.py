"""Unpack zip and tar archives that come from elsewhere: nothing outside the folder, no links, no more than was
agreed.
"""

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
# Frames are JPEGs and hardly shrink; text shrinks to a tenth. What grows beyond this is no data set.
_MOST_GROWTH = 20
_ALWAYS_ALLOWED_BYTES = 64 << 20
_LEAST_FILE_BYTES = 4096  # what a file takes on the disk at least, so that a million empty ones are a bomb, too
_MOST_FOLDERS = 32  # around a file
_CUT_OFF = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, struct.error)
_SPACE = (errno.ENOSPC, errno.EDQUOT)

Wanted = Callable[[PurePosixPath], bool]


def unpack(
    archives: Sequence[Path], folder: Path, *, wanted: Wanted | None = None, max_bytes: int | None = None
) -> int:
    """Unpack the wanted files of zips and tars (also compressed) into one new `folder` and return their number.

    The folder appears when all is unpacked; a fault leaves nothing, and what was there before stays. A file that comes
    twice must be the same both times. Names that differ in case only are two files where the disk tells them apart, and
    else such a file that comes twice. Names that are not UTF-8 are read as zip's code page 437.

    Args:
        wanted: takes a member's path; all files where it is None.
        max_bytes: the bound on the unpacked size of one archive; 20 times the archive and 64 MiB where it is None. A
            file counts as 4 KiB at least.

    Raises:
        ReidopsError: an archive is no archive or cut off, is encrypted, leads out of the folder, holds links, or
            unpacks to more than `max_bytes`; or the disk is full.
    """
    with whole_folder(folder) as partial:
        return sum(_unpack_one(archive, partial, wanted, max_bytes) for archive in archives)


def fault_of_archive(path: Path, name: str) -> str | None:
    """Return why a file cannot be the whole archive that `name` promises, None if it may be; what is called otherwise
    always may.
    """
    with open(path, "rb") as stream:
        beginning = stream.read(512).lstrip().lower()
    if beginning.startswith((b"<!doctype html", b"<html")):
        return "is a web page instead of the archive; open the address in a browser to see why"
    if name.endswith(".zip") and not zipfile.is_zipfile(path):
        return "is cut off or no zip: it has no directory at its end"
    if name.endswith(ARCHIVE_SUFFIXES[1:]) and not tarfile.is_tarfile(path):
        return "is no tar"
    return None


def _unpack_one(archive: Path, folder: Path, wanted: Wanted | None, max_bytes: int | None) -> int:
    limit = max_bytes if max_bytes is not None else _MOST_GROWTH * archive.stat().st_size + _ALWAYS_ALLOWED_BYTES
    num_files = 0
    with _reading(archive, limit), open_container(archive, limit) as container, _bar(archive, container) as bar:
        members: Iterable = _chosen(container.members(), archive, wanted, limit)
        if container.has_index:
            members = list(members)  # so that nothing is written before every member is judged
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
    """Say in the user's words what the libraries raise."""
    try:
        yield
    except TooLarge as error:
        raise ReidopsError(
            f"{archive}: unpacks to more than {limit:,} bytes ({error}); it is no data set, or unpack it by hand"
        ) from None
    except UnicodeDecodeError as error:  # a ValueError, too
        raise ReidopsError(
            f"{archive}: a name in it is not UTF-8 and says that it is ({error}); unpack it by hand"
        ) from None
    except _CUT_OFF as error:
        raise ReidopsError(f"{archive}: is cut off or no archive ({error}); delete it and fetch it again") from None
    except (RuntimeError, NotImplementedError) as error:  # zipfile's words for encrypted and for unknown compression
        raise ReidopsError(
            f"{archive}: cannot be unpacked ({error}); unpack it by hand and name its folder in download.local"
        ) from None
    except OSError as error:
        if error.errno is None:  # bz2's way to say that the data are none
            raise ReidopsError(f"{archive}: is cut off or no archive ({error}); delete it and fetch it again") from None
        what = "free some space and run again" if error.errno in _SPACE else "mend this and run again"
        raise ReidopsError(
            f"{archive}: {error.strerror} while unpacking ({error.filename or 'writing'}); {what}"
        ) from None


def _chosen(
    members: Iterable[Member], archive: Path, wanted: Wanted | None, limit: int
) -> Iterator[tuple[PurePosixPath, Member]]:
    """Yield the wanted files; every member is judged, also those that are not wanted, since one evil one spoils the
    trust.
    """
    declared = 0
    for member in members:
        path = _safe_path(member.name, archive)
        if member.kind == "other":
            raise ReidopsError(
                f"{archive}: {member.name!r} is a link or a device, nothing is unpacked; unpack it by hand if you "
                f"trust it"
            )
        if member.kind == "folder" or "__MACOSX" in path.parts or not (wanted is None or wanted(path)):
            continue
        declared += max(member.num_bytes, _LEAST_FILE_BYTES)
        if declared > limit:
            raise TooLarge(f"at {path}")
        yield path, member


def _safe_path(name: str, archive: Path) -> PurePosixPath:
    """Return a member's path, which must stay inside the folder on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise ReidopsError(
            f"{archive}: {name!r} leads out of the folder; the archive is not to be trusted, nothing is unpacked"
        )
    if len(path.parts) > _MOST_FOLDERS:
        raise ReidopsError(
            f"{archive}: {name[:80]!r} … lies more than {_MOST_FOLDERS} folders deep; the archive is not to be trusted"
        )
    return path


def _write(member: Member, target: Path) -> None:
    """Write one member, no more bytes than it declared, because a header can lie."""
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
                raise TooLarge(f"{member.name} is larger than it says")
            stream.write(block)
    if written != member.num_bytes:
        raise EOFError(f"{member.name} ends after {written} of {member.num_bytes} bytes")


def _check_same(member: Member, target: Path) -> None:
    """Refuse a second file of one name, unless it is the same."""
    if target.is_file() and target.stat().st_size == member.num_bytes:
        with open(target, "rb") as first, member.open() as second:
            if all(first.read(len(block)) == block for block in iter(lambda: second.read(_READ_BYTES), b"")):
                return
    raise zipfile.BadZipFile(f"{member.name!r} comes twice and is not the same, or is a file and a folder")
