"""What can be said about a JPEG without decoding it: is it whole, how large is the picture."""

import struct

from reidops.errors import ReidopsError

_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, whatever the coding


def check_whole(data: bytes, where: str) -> None:
    """Refuse a JPEG that is cut off: there must be a scan and, after the last one, the end marker. Other formats pass.

    Decoders fill what is missing with grey and only mumble, so a crop of it would be taken for a picture.

    Raises:
        ReidopsError: the file is empty or cut off.
    """
    if not data:
        raise ReidopsError(f"{where}: is empty (0 bytes); copy or unpack it again")
    if data.startswith(_START) and data.rfind(_END) <= data.rfind(_SCAN):
        raise ReidopsError(f"{where}: the JPEG is cut off after {len(data)} bytes; copy or unpack it again")


def read_size(data: bytes, where: str) -> tuple[int, int]:
    """Return (width, height) in px of a whole JPEG, from its header.

    Raises:
        ReidopsError: the file is cut off or is no JPEG.
    """
    check_whole(data, where)
    position = 2 if data.startswith(_START) else len(data)
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _FRAME_HEADERS:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 1 if marker == 0xFF else 2 + length
    raise ReidopsError(f"{where}: is no JPEG; expected one crop as a .jpg file")
