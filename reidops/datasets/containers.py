"""Common interface of zip and tar archives, without trust in their headers."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

_READ_BYTES = 1 << 20
_TAR_BLOCK = bytes(512)  # ends a tar
_ZIP_END_BYTES = 22 + 0xFFFF  # a zip's last record with its longest comment
_ZIP_BEGINNINGS = (b"PK\3\4", b"PK\5\6")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; b"" at the end."""


_Decompress = Callable[[IO[bytes]], _Readable]
_DECOMPRESSORS: dict[bytes, _Decompress] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


@dataclass(frozen=True)
class Member:
    """A member as the archive declares it: `kind` is file, folder or other (links, devices)."""

    name: str
    num_bytes: int
    kind: str
    open: Callable[[], IO[bytes]]


class TooLarge(Exception):
    """The archive unpacks to more than the limit."""


def open_container(archive: Path, limit: int) -> "ZipContainer | TarContainer":
    """Open an archive with the format of its first bytes.

    Args:
        archive: the file.
        limit: maximum number of bytes that are decompressed from a compressed tar.
    """
    with open(archive, "rb") as stream:
        beginning = stream.read(8)
    if beginning.startswith(_ZIP_BEGINNINGS) or archive.suffix == ".zip":
        return ZipContainer(archive)
    decompress = next((opener for magic, opener in _DECOMPRESSORS.items() if beginning.startswith(magic)), None)
    return TarContainer(archive, decompress, limit)


class ZipContainer:
    """A zip archive, whose directory at the end lists all members."""

    has_index = True

    def __init__(self, archive: Path) -> None:
        self._zip = zipfile.ZipFile(archive)
        self.num_bytes = archive.stat().st_size
        self._check_count(archive)

    def __enter__(self) -> "ZipContainer":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def _check_count(self, archive: Path) -> None:
        """Raise an error if a damaged entry of the directory hides another one."""
        with open(archive, "rb") as stream:
            stream.seek(-min(self.num_bytes, _ZIP_END_BYTES), io.SEEK_END)
            end = stream.read()
        (declared,) = struct.unpack_from("<H", end, end.rindex(b"PK\5\6") + 10)
        found = len(self._zip.infolist())
        if declared not in (found & 0xFFFF, 0xFFFF):  # 0xFFFF if there are more entries
            raise zipfile.BadZipFile(f"its directory has {found} entries, but declares {declared}")

    def members(self) -> Iterator[Member]:
        """Yield the members in the order of the archive's directory."""
        for info in self._zip.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)
            is_folder = info.filename.endswith(("/", "\\"))
            kind = "folder" if is_folder else "file" if mode in (0, stat.S_IFREG) else "other"
            yield Member(info.filename, info.file_size, kind, partial(self._zip.open, info))

    def position(self) -> int:
        """Return the position in the archive's file, bytes."""
        return self._zip.fp.tell() if self._zip.fp else self.num_bytes


class TarContainer:
    """A tar archive, read once and forwards, so that a compressed one is decompressed only once."""

    has_index = False

    def __init__(self, archive: Path, decompress: _Decompress | None, limit: int) -> None:
        self._file = open(archive, "rb")  # noqa: SIM115 — closed by __exit__
        self._stream = _Bounded(decompress(self._file) if decompress else self._file, limit if decompress else None)
        self.num_bytes = archive.stat().st_size

    def __enter__(self) -> "TarContainer":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def members(self) -> Iterator[Member]:
        """Yield the members; tarfile takes a damaged header for the end of the archive, so that the end is checked."""
        with _Tar(fileobj=self._stream) as tar:  # type: ignore[arg-type]  # its stub also asks for write and close
            while (info := tar.next()) is not None:
                kind = "folder" if info.isdir() else "file" if info.isreg() else "other"
                yield Member(_text(info.name), info.size, kind, partial(tar.open_member, info))
                tar.members.clear()  # otherwise the list of all members stays in memory
        if self._stream.last != _TAR_BLOCK:
            raise EOFError("a header is damaged, or the end is missing")
        while self._stream.read(_READ_BYTES):
            pass  # reading to the end verifies the checksum of the compressed stream

    def position(self) -> int:
        """Return the position in the archive's file, bytes."""
        return self._file.tell()


class _Tar(tarfile.TarFile):
    members: list[tarfile.TarInfo]  # its stub leaves this out

    def open_member(self, info: tarfile.TarInfo) -> IO[bytes]:
        """Return the content of a member.

        Raises:
            tarfile.ReadError: the member is no file.
        """
        stream = self.extractfile(info)
        if stream is None:
            raise tarfile.ReadError(f"{info.name} is a folder or a device, not a file")
        return stream


class _Bounded:
    """A stream that is read forwards, to at most `limit` bytes; `last` holds the bytes of the last read."""

    def __init__(self, stream: _Readable, limit: int | None) -> None:
        self._stream, self._limit, self._position, self.last = stream, limit, 0, b""

    def read(self, num_bytes: int) -> bytes:
        """Return the next bytes.

        Raises:
            tarfile.ReadError: a header asks for more than 1 MiB.
            TooLarge: the stream has more than `limit` bytes.
        """
        if num_bytes > _READ_BYTES:
            raise tarfile.ReadError(f"a header of {num_bytes:,} bytes")
        self.last = self._stream.read(num_bytes)
        self._position += len(self.last)
        if self._limit is not None and self._position > self._limit:
            raise TooLarge("decompressed")
        return self.last

    def seekable(self) -> bool:
        """Return False: a compressed stream goes forwards only."""
        return False

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self._position

    def seek(self, position: int) -> None:
        """Read on to `position`, or to the end of the stream.

        Raises:
            tarfile.ReadError: `position` was passed already.
        """
        if position < self._position:
            raise tarfile.ReadError("the members overlap")
        while position > self._position and self.read(min(_READ_BYTES, position - self._position)):
            pass


def _text(name: str) -> str:
    """Return the name of a tar member as valid Unicode; names that are not UTF-8 are decoded as code page 437."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape").decode("cp437")
    return name
