"""What can be said about a JPEG, PNG or BMP without decoding it: is it whole, how large is the picture."""

import struct

from reidops.errors import ReidopsError

_JPEG, _PNG, _BMP = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM"
_JPEG_END, _JPEG_SCAN = b"\xff\xd9", b"\xff\xda"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, whatever the coding
_MARKER = struct.Struct(">BBHBHH")  # 0xFF, which, its length; of a frame header also precision, height, width
_PNG_END = b"IEND\xaeB`\x82"
_PNG_HEADER_BYTES = 24  # signature and the size in the first chunk
_BMP_HEADER = struct.Struct("<2sI4xIIiiHHI")  # BM, bytes of the file, start of the pixels, …, width, height, planes, bits, compression
_BMP_OLD_HEADER_BYTES = 12  # of OS/2, whose fields are others
_BMP_PLAIN = (0, 3)  # compressions that are none: RGB, bit fields


def check_whole(data: bytes, where: str) -> None:
    """Refuse a JPEG, PNG or BMP that is cut off: its end must be there. Other formats pass.

    Decoders fill what is missing with grey and only mumble, so a crop of it would be taken for a picture. A file that is
    damaged in its middle has its end; only decoding finds that (`reidops.datasets.decoding`).

    Raises:
        ReidopsError: the file is empty or cut off.
    """
    if not data:
        raise ReidopsError(f"{where}: is empty (0 bytes); copy or unpack it again")
    if data.startswith(_JPEG):
        kind, is_whole = "JPEG", data.endswith(_JPEG_END) or data.rfind(_JPEG_END) > data.rfind(_JPEG_SCAN)
    elif data.startswith(_PNG):
        kind, is_whole = "PNG", len(data) >= _PNG_HEADER_BYTES and _PNG_END in data
    elif data.startswith(_BMP):
        kind, is_whole = "BMP", len(data) >= _bmp_bytes(data)
    else:
        return
    if not is_whole:
        raise ReidopsError(f"{where}: the {kind} is cut off after {len(data)} bytes; copy or unpack it again")


def read_size(data: bytes, where: str) -> tuple[int, int]:
    """Return (width, height) in px of a whole JPEG, PNG or BMP, from its header.

    Raises:
        ReidopsError: the file is cut off or is of another format.
    """
    check_whole(data, where)
    size = None
    if data.startswith(_JPEG):
        size = _jpeg_size(data)
    elif data.startswith(_PNG):
        size = struct.unpack_from(">II", data, 16)
    elif data.startswith(_BMP):
        size = _bmp_size(data)
    if size is None:
        raise ReidopsError(f"{where}: is no JPEG, PNG or BMP; expected one crop as such a file")
    return size


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk from marker to marker to the frame header; None where there is none."""
    position, last = 2, len(data) - _MARKER.size
    while position <= last:
        prefix, marker, length, _, height, width = _MARKER.unpack_from(data, position)
        if prefix != 0xFF:
            return None
        if marker in _FRAME_HEADERS:
            return width, height
        position += 1 if marker == 0xFF else 2 + length
    return None


def _bmp_size(data: bytes) -> tuple[int, int]:
    if int.from_bytes(data[14:18], "little") == _BMP_OLD_HEADER_BYTES:
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # negative where the rows are stored from the top


def _bmp_bytes(data: bytes) -> int:
    """Return how many bytes the file must have: by its own word, or to hold its pixels where they are not compressed.

    The word cannot be trusted alone: some programs write 0 there, or count padding that they never write.
    """
    if len(data) < _BMP_HEADER.size:
        return _BMP_HEADER.size
    _, said, start, header_bytes, width, height, _, bits, compression = _BMP_HEADER.unpack_from(data)
    if header_bytes == _BMP_OLD_HEADER_BYTES or compression not in _BMP_PLAIN:
        return said
    return start + (width * bits + 31) // 32 * 4 * abs(height)
