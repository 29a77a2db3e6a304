"""Write the members of a tar without time, owner or host, so that equal crops give equal tars."""

import tarfile
from typing import BinaryIO

_BLOCK = 512  # bytes; headers and data of a tar are padded to it
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
    """Write one file with its header at byte `start`; return the offsets of its data and of the next header."""
    header, padding = tar_header(path, len(data)), bytes(-len(data) % _BLOCK)
    stream.write(header + data + padding)
    offset = start + len(header)
    return offset, offset + len(data) + len(padding)


def write_end(stream: BinaryIO) -> None:
    """Write the end marker of a tar."""
    stream.write(bytes(2 * _BLOCK))


def tar_header(path: str, size: int) -> bytes:
    """Return the bytes of `TarInfo.tobuf` for a file.

    tarfile would take most of the time with small crops. For ordinary names only the fields that differ are filled in:
    name, size and the checksum, in which its own field counts as eight spaces.
    """
    name, size_field = path.encode(), b"%011o\0" % size
    if len(name) > _NAME_BYTES or size >= 1 << 33:
        member = tarfile.TarInfo(path)
        member.size = size
        return member.tobuf(tarfile.GNU_FORMAT)
    checksum = b"%06o\0 " % (_SUM + sum(name) + sum(size_field))
    return name.ljust(_NAME_BYTES, b"\0") + _BEFORE_SIZE + size_field + _BEFORE_CHECKSUM + checksum + _REST
