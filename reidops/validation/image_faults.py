"""Check whether an image is complete, and read its size."""

from pathlib import Path

import cv2
import numpy as np

from reidops.datasets.decoding import decode_whole
from reidops.errors import ReidopsError
from reidops.image_headers import check_whole, read_size


def image_fault(content: bytes) -> str:
    """Return why an image file is incomplete or unreadable, "" for no fault, without decoding it."""
    try:
        check_whole(content, "")
    except ReidopsError as error:
        return _without_place(error)
    return ""


def crop_fault(content: bytes, width: int, height: int) -> str:
    """Return the fault of a crop's bytes, "" for none, from its header and its end only.

    Args:
        width, height: the size in the crops table, px.
    """
    try:
        size = read_size(content, "")
    except ReidopsError as error:
        return _without_place(error)
    return (
        ""
        if size == (width, height)
        else f"the picture has {size[0]} × {size[1]} px, but the table has {width} × {height}"
    )


def decode_colour(content: bytes) -> np.ndarray | None:
    """Decode an image file to BGR uint8 [height, width, 3], even if it is damaged; None if it is not an image."""
    return decode_whole(content)[0] if content else None


def decode_grey(content: bytes) -> tuple[str, np.ndarray | None]:
    """Decode an image file; return its fault ("" for none) and the picture, uint8 [height, width] or None."""
    fault = image_fault(content)
    picture, warning = decode_whole(content) if content else (None, "")
    if picture is None:
        return fault or warning or "is not an image, or is damaged", None
    return fault or warning, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def inspect_image(path: Path) -> tuple[str, float, float]:
    """Return (fault, width, height) of an image file; sizes are NaN if it cannot be decoded."""
    fault, picture = decode_grey(Path(path).read_bytes())
    return (fault, *picture_size(picture))


def picture_size(picture: np.ndarray | None) -> tuple[float, float]:
    """Return width and height in px, NaN for no picture."""
    return (float(picture.shape[1]), float(picture.shape[0])) if picture is not None else (np.nan, np.nan)


def _without_place(error: ReidopsError) -> str:
    return str(error).removeprefix(": ")
