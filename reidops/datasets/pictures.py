"""Check and convert the picture files of own data sets."""

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath

import cv2
import numpy as np

from reidops.errors import ReidopsError
from reidops.image_headers import check_whole, is_plain, states_size
from reidops.picture_depth import check_depth

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
_MOST_PASSED_OVER = 0.1  # maximum share of the pictures of a folder


def passed_over(names: Iterable[str], suffixes: tuple[str, ...]) -> Counter[str]:
    """Return the numbers of picture files with other suffixes than these, by suffix."""
    found = Counter(PurePath(name).suffix.lower() for name in names if not PurePath(name).name.startswith("."))
    return Counter(
        {
            suffix: n
            for suffix, n in found.items()
            if suffix in (*IMAGE_SUFFIXES, *_UNREAD_SUFFIXES) and suffix not in suffixes
        }
    )


def only_unread(folder: Path) -> str:
    """Return the pictures of a folder whose format is not read, for an error message; "" if others are there."""
    names = [path.name for path in folder.rglob("*") if path.is_file()]
    others = passed_over(names, IMAGE_SUFFIXES)
    if not others or any(name.lower().endswith(IMAGE_SUFFIXES) for name in names):
        return ""
    counted = ", ".join(f"{number:,} of {suffix}" for suffix, number in sorted(others.items()))
    return f"; its pictures, {counted}, are not read: convert them to one of {', '.join(IMAGE_SUFFIXES)}"


def check_passed_over(where: str, others: Counter[str], num_read: int, suffixes: tuple[str, ...]) -> None:
    """Warn of pictures that are not read because of their suffix.

    Raises:
        ReidopsError: these are more than a tenth of the pictures.
    """
    total = others.total()
    if not total:
        return
    counted = ", ".join(f"{number:,} of {suffix}" for suffix, number in sorted(others.items()))
    text = f"{where}: {counted} are not read, {num_read:,} pictures are; supported are {', '.join(suffixes)}"
    if total > _MOST_PASSED_OVER * (total + num_read):
        raise ReidopsError(f"{text}; convert them to one of these formats, or remove them from the folder")
    log.warning("%s", text)


def plain_picture(data: bytes, where: str) -> bytes:
    """Return the bytes of a JPEG, PNG or BMP file unchanged, and those of other formats converted to PNG.

    Raises:
        ReidopsError: the file is truncated or not a picture, has more pixels than the bound, or has 16 bits of which
            only the lowest are used, so that it would be read as black.
    """
    check_whole(data, where)
    check_depth(data, where)
    if is_plain(data):
        return data
    is_picture = states_size(data, where)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if is_picture else None
    if picture is None:
        raise ReidopsError(f"{where}: {_fault(data)}")
    return cv2.imencode(".png", picture)[1].tobytes()


def _fault(data: bytes) -> str:
    if data[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page instead of a picture; download it again"
    return "is no JPEG, PNG, BMP, WebP or TIFF that can be read; convert it to JPEG or PNG, or remove it"
