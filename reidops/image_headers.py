"""What can be said about a JPEG, PNG or BMP without decoding it: is it whole, how large is the picture, is it too large
to decode.
"""

import io
import os
import struct

from reidops.errors import ReidopsError

DEFAULT_MAX_PIXELS = 100_000_000  # of one picture: 300 MB once it is decoded; a frame of 8K has 33 million
MAX_PIXELS_VARIABLE = "REIDOPS_MAX_PIXELS"

_JPEG, _PNG, _BMP = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM"
_JPEG_END, _JPEG_SCAN = b"\xff\xd9", b"\xff\xda"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, whatever the coding
_MARKER = struct.Struct(">BBHBHH")  # 0xFF, which, its length; of a frame header also precision, height, width
_EXIF, _PNG_EXIF = b"Exif\0\0", b"eXIf"
_EXIF_BYTES = 1 << 17  # a JPEG's segments of data before its picture
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF's tag; values of a quarter turn, mirrored or not
_PNG_END = b"IEND\xaeB`\x82"
_PNG_HEADER_BYTES = 24  # signature and the size in the first chunk
# BM, bytes of the file, start of the pixels, …, width, height, planes, bits, compression
_BMP_HEADER = struct.Struct("<2sI4xIIiiHHI")
_BMP_OLD_HEADER_BYTES = 12  # of OS/2, whose fields are others
_BMP_PLAIN = (0, 3)  # compressions that are none: RGB, bit fields


def check_whole(data: bytes, where: str) -> None:
    """Refuse a JPEG, PNG or BMP that is cut off: its end must be there. Other formats pass.

    Decoders fill what is missing with grey and only mumble, so a crop of it would be taken for a picture. A file that
    is damaged in its middle has its end; only decoding finds that (`reidops.datasets.decoding`).

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
    """Return (width, height) in px of a whole JPEG, PNG or BMP as it is decoded: turned where its EXIF data say so.

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
    return (size[1], size[0]) if _is_turned(data) else size


def is_plain(data: bytes) -> bool:
    """Return whether an image file is of a format that every stage reads as it is: JPEG, PNG or BMP."""
    return data.startswith((_JPEG, _PNG, _BMP))


def _is_turned(data: bytes) -> bool:
    """Return whether decoding swaps the sides of a JPEG or PNG, by the orientation in its EXIF data."""
    if not (_EXIF in data[:_EXIF_BYTES] if data.startswith(_JPEG) else data.startswith(_PNG) and _PNG_EXIF in data):
        return False
    # few pictures have such data, and every worker process would pay for the import
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.getexif().get(_ORIENTATION) in _TURNED
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return False


def bound_pixels(max_pixels: int) -> None:
    """Set the largest number of pixels of a picture that this process, and processes that it starts, decode."""
    os.environ[MAX_PIXELS_VARIABLE] = str(max_pixels)


def size_fault(width: int, height: int) -> str:
    """Return what keeps a picture of this size in px from being decoded, "" for nothing."""
    most = int(os.environ.get(MAX_PIXELS_VARIABLE) or DEFAULT_MAX_PIXELS)
    if width * height <= most:
        return ""
    return (
        f"the picture has {width:,} × {height:,} px, more than the bound of {most:,} pixels; if it is meant to be so "
        f"large, raise"
        f" max_pixels in the section download of params.yaml (outside the pipeline the environment variable "
        f"{MAX_PIXELS_VARIABLE})"
    )


def check_size(width: int, height: int, where: str) -> None:
    """Refuse a picture that has more pixels than the bound.

    Raises:
        ReidopsError: names the picture, its size, the bound and the param.
    """
    fault = size_fault(width, height)
    if fault:
        raise ReidopsError(f"{where}: {fault}")


def states_size(data: bytes, where: str) -> bool:
    """Tell whether an image file's header states the picture's size; what states none must not be decoded.

    A small file can hold a very large picture, and a decoder takes memory for all its pixels.

    Raises:
        ReidopsError: the picture has more pixels than the bound.
    """
    size = stated_size(data)
    if size is not None:
        check_size(*size, where)
    return size is not None


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in px from the header of any image file, None where it states none."""
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    if data.startswith(_PNG):
        return struct.unpack_from(">II", data, 16) if len(data) >= _PNG_HEADER_BYTES else None
    if data.startswith(_BMP):
        return _bmp_size(data) if len(data) >= _BMP_HEADER.size else None
    return _size_of_other_format(data)


def _size_of_other_format(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in px of a WebP, TIFF, GIF or another format that Pillow knows; None for none."""
    # most pictures are JPEGs, and every worker process would pay for the import
    from PIL import Image, UnidentifiedImageError

    library_bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # ours takes its place
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = library_bound


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
