"""Check image files without decoding them: completeness, picture size, and the limit of the number of pixels."""

import io
import os
import struct

from PIL import Image, UnidentifiedImageError

from reidops.errors import ReidopsError

DEFAULT_MAX_PIXELS = 100_000_000  # pixels of one picture (300 MB decoded); an 8K frame has 33 million
MAX_PIXELS_VARIABLE = "REIDOPS_MAX_PIXELS"

_JPEG, _PNG, _BMP = b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM"
_JPEG_END, _JPEG_SCAN = b"\xff\xd9", b"\xff\xda"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, of all codings
_MARKER = struct.Struct(">BBHBHH")  # 0xFF, marker, length; of a frame header also precision, height, width
_EXIF, _PNG_EXIF = b"Exif\0\0", b"eXIf"
_EXIF_BYTES = 1 << 17  # length of a JPEG's metadata segments
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF tag; values of a quarter turn, mirrored or not
_PNG_END = b"IEND\xaeB`\x82"
_PNG_HEADER_BYTES = 24  # signature and the size in the first chunk
# BM, size of the file, offset of the pixels, …, width, height, planes, bits, compression
_BMP_HEADER = struct.Struct("<2sI4xIIiiHHI")
_BMP_OLD_HEADER_BYTES = 12  # the OS/2 header, which has other fields
_BMP_PLAIN = (0, 3)  # uncompressed: RGB, bit fields


def check_pointer(data: bytes, where: str) -> None:
    """Raise if a file is a pointer of Git LFS, which was cloned without the picture."""
    if data.startswith(b"version https://git-lfs"):
        raise ReidopsError(
            f"{where}: is a pointer of Git LFS instead of the picture; run `git lfs pull` in its repository"
        )


def check_whole(data: bytes, where: str) -> None:
    """Raise if a JPEG, PNG or BMP is truncated; other formats are not checked.

    Decoders fill missing pixels with grey and only print a warning. A file that is damaged in its middle has a valid
    end; only decoding detects that (`reidops.datasets.decoding`).

    Raises:
        ReidopsError: the file is empty or truncated, or is a pointer of Git LFS.
    """
    if not data:
        raise ReidopsError(f"{where}: is empty (0 bytes); copy or unpack it again")
    check_pointer(data, where)
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
        ReidopsError: the file is truncated or has another format.
    """
    check_whole(data, where)
    check_pointer(data, where)
    size = None
    if data.startswith(_JPEG):
        size = _jpeg_size(data)
    elif data.startswith(_PNG):
        size = struct.unpack_from(">II", data, 16)
    elif data.startswith(_BMP):
        size = _bmp_size(data)
    if size is None:
        raise ReidopsError(f"{where}: is not a JPEG, PNG or BMP file; convert it to one of these formats")
    return (size[1], size[0]) if _is_turned(data) else size


def is_plain(data: bytes) -> bool:
    """Return whether an image file is of a format that every stage reads as it is: JPEG, PNG or BMP."""
    return data.startswith((_JPEG, _PNG, _BMP))


def _is_turned(data: bytes) -> bool:
    """Return whether decoding swaps the sides of a JPEG or PNG, by the orientation in its EXIF data."""
    if not (_EXIF in data[:_EXIF_BYTES] if data.startswith(_JPEG) else data.startswith(_PNG) and _PNG_EXIF in data):
        return False
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.getexif().get(_ORIENTATION) in _TURNED
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return False


def bound_pixels(max_pixels: int) -> None:
    """Set the largest number of pixels of a picture that this process and its child processes decode."""
    os.environ[MAX_PIXELS_VARIABLE] = str(max_pixels)


def size_fault(width: int, height: int) -> str:
    """Return why a picture of this size [px] is not decoded, "" if it is."""
    most = int(os.environ.get(MAX_PIXELS_VARIABLE) or DEFAULT_MAX_PIXELS)
    if width * height <= most:
        return ""
    return (
        f"the picture has {width:,} × {height:,} px, more than the limit of {most:,} pixels; if this size is intended, "
        f"raise download.max_pixels in params.yaml (outside the pipeline the environment variable "
        f"{MAX_PIXELS_VARIABLE})"
    )


def check_size(width: int, height: int, where: str) -> None:
    """Check the number of pixels of a picture.

    Raises:
        ReidopsError: the picture has more pixels than the limit.
    """
    fault = size_fault(width, height)
    if fault:
        raise ReidopsError(f"{where}: {fault}")


def states_size(data: bytes, where: str) -> bool:
    """Return whether the header of an image file states the picture's size; files without size must not be decoded.

    A small file can hold a very large picture, and a decoder allocates memory for all pixels.

    Raises:
        ReidopsError: the picture has more pixels than the limit.
    """
    size = stated_size(data)
    if size is not None:
        check_size(*size, where)
    return size is not None


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in px from the header of an image file, or None."""
    if data.startswith(_JPEG):
        return _jpeg_size(data)
    if data.startswith(_PNG):
        return struct.unpack_from(">II", data, 16) if len(data) >= _PNG_HEADER_BYTES else None
    if data.startswith(_BMP):
        return _bmp_size(data) if len(data) >= _BMP_HEADER.size else None
    return _size_of_other_format(data)


def _size_of_other_format(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in px of a WebP, TIFF, GIF or another format that Pillow supports, or None."""
    library_bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the limit of this module is used instead
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return None
    finally:
        Image.MAX_IMAGE_PIXELS = library_bound


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) from the frame header, which is found by following the markers, or None."""
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
    return width, abs(height)  # negative if the rows are stored from top to bottom


def _bmp_bytes(data: bytes) -> int:
    """Return the number of bytes that the file must have, from its header or from its uncompressed pixels.

    The size in the header is used only for compressed files, because some programs write 0 or count missing padding.
    """
    if len(data) < _BMP_HEADER.size:
        return _BMP_HEADER.size
    _, stated, start, header_bytes, width, height, _, bits, compression = _BMP_HEADER.unpack_from(data)
    if header_bytes == _BMP_OLD_HEADER_BYTES or compression not in _BMP_PLAIN:
        return stated
    return start + (width * bits + 31) // 32 * 4 * abs(height)
