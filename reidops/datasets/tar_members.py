"""The members of a tar, written one after the other without time, owner or machine, so that equal crops are equal
tars.
"""

import tarfile
from typing import BinaryIO

_BLOCK = 512  # bytes; everything in a tar is padded to it
_NAME_BYTES = 100
_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)
# A header as tarfile writes it, cut at the fields that differ from crop to crop.
_EMPTY = tarfile.TarInfo("").tobuf(tarfile.GNU_FORMAT)
_BEFORE_SIZE, _BEFORE_CHECKSUM, _REST = (
    _EMPTY[_NAME.stop : _SIZE.start],
    _EMPTY[_SIZE.stop : _CHECKSUM.start],
    _EMPTY[_CHECKSUM.stop :],
)
_SUM = sum(_BEFORE_SIZE + _BEFORE_CHECKSUM + _REST) + 8 * ord(" ")


def write_member(stream: BinaryIO, start: int, path: str, data: bytes) -> tuple[int, int]:
    """Write one file, whose header comes to lie at byte `start`, and return where its data and where the next header
    begin.
    """
    header, padding = tar_header(path, len(data)), bytes(-len(data) % _BLOCK)
    stream.write(header + data + padding)
    offset = start + len(header)
    return offset, offset + len(data) + len(padding)


def write_end(stream: BinaryIO) -> None:
    """Write what ends a tar."""
    stream.write(bytes(2 * _BLOCK))


def tar_header(path: str, size: int) -> bytes:
    """Return `TarInfo.tobuf`'s bytes for a file.

    A set of small crops would spend most of its packing in tarfile, so that for ordinary names only the fields that
    differ are filled in: name, size, and the checksum, which counts itself as eight spaces.
    """
    name, size_field = path.encode(), b"%011o\0" % size
    if len(name) > _NAME_BYTES or size >= 1 << 33:
        member = tarfile.TarInfo(path)
        member.size = size
        return member.tobuf(tarfile.GNU_FORMAT)
    checksum = b"%06o\0 " % (_SUM + sum(name) + sum(size_field))
    return name.ljust(_NAME_BYTES, b"\0") + _BEFORE_SIZE + size_field + _BEFORE_CHECKSUM + checksum + _REST
