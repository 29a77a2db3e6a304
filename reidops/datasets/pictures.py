"""Picture files of people's own: which are read, and which other files lie beside them."""

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

import cv2
import numpy as np

from reidops.errors import ReidopsError
from reidops.image_headers import check_whole, is_plain, states_size

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff")
_UNREAD_SUFFIXES = (
    ".heic",
    ".heif",
    ".avif",
    ".gif",
    ".jp2",
    ".jxl",
    ".dng",
    ".raw",
    ".cr2",
    ".nef",
    ".ppm",
    ".pgm",
    ".npy",
)
_MOST_PASSED_OVER = 0.1  # share of the pictures of a folder
_FULL, _DARK = 65535, 1 / 16  # 16 bits, and the share of them below which 8 bits show next to nothing
_PNG, _PNG_DEPTH = b"\x89PNG", 24  # where a PNG states its bits per channel
_TIFF = (b"II*\0", b"MM\0*")


def passed_over(names: Iterable[str], suffixes: tuple[str, ...]) -> Counter[str]:
    """Return how many picture files have another suffix than these, by suffix."""
    found = Counter(PurePath(name).suffix.lower() for name in names if not PurePath(name).name.startswith("."))
    return Counter(
        {
            suffix: n
            for suffix, n in found.items()
            if suffix in (*IMAGE_SUFFIXES, *_UNREAD_SUFFIXES) and suffix not in suffixes
        }
    )


def check_passed_over(where: str, others: Counter[str], num_read: int, suffixes: tuple[str, ...]) -> None:
    """Warn of pictures that are passed over for their suffix.

    Raises:
        ReidopsError: they are more than a tenth of the pictures.
    """
    total = others.total()
    if not total:
        return
    counted = ", ".join(f"{number:,} of {suffix}" for suffix, number in sorted(others.items()))
    text = f"{where}: {counted} are passed over beside {num_read:,} pictures; read are {', '.join(suffixes)}"
    if total > _MOST_PASSED_OVER * (total + num_read):
        raise ReidopsError(f"{text}; convert them to one of these, or take them out of the folder")
    log.warning("%s", text)


def plain_picture(data: bytes, where: str) -> bytes:
    """Return an image file's bytes where it is a JPEG, PNG or BMP, else the picture as PNG, which loses nothing.

    Raises:
        ReidopsError: it is cut off or no picture, has more pixels than the bound, or has 16 bits of which it uses the
            lowest only, so that it would be read as black.
    """
    check_whole(data, where)
    if data.startswith((_PNG, *_TIFF)) and (data.startswith(_TIFF) or data[_PNG_DEPTH : _PNG_DEPTH + 1] == b"\x10"):
        _check_depth(data, where)
    if is_plain(data):
        return data
    is_picture = states_size(data, where)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if is_picture else None
    if picture is None:
        raise ReidopsError(
            f"{where}: is no JPEG, PNG, BMP, WebP or TIFF that can be read; convert it to JPEG or PNG, or take it out"
        )
    return cv2.imencode(".png", picture)[1].tobytes()


def _check_depth(data: bytes, where: str) -> None:
    """Refuse a picture of 16 bits whose values lie in the lowest sixteenth: its upper 8 bits are read."""
    if not states_size(data, where):
        return
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint16 or not 0 < picture.max() < _DARK * _FULL:
        return
    raise ReidopsError(
        f"{where}: has 16 bits and no value above {picture.max():,} of {_FULL:,}, so that it would be read as black; "
        "scale the pictures to 8 bits, all by the same factor"
    )
