"""Can an image be read whole, and what size is it."""

from pathlib import Path

import cv2
import numpy as np

from reidops.datasets.decoding import decode_whole
from reidops.errors import ReidopsError
from reidops.image_headers import check_whole, read_size


def image_fault(content: bytes) -> str:
    """Return what keeps an image file's bytes from being read, "" for nothing found; decodes nothing."""
    try:
        check_whole(content, "")
    except ReidopsError as error:
        return _without_place(error)
    return ""


def crop_fault(content: bytes, width: int, height: int) -> str:
    """Return what is wrong with a crop's bytes, told by its header and its end alone, "" for nothing found.

    Args:
        width, height: what the table states, px.
    """
    try:
        size = read_size(content, "")
    except ReidopsError as error:
        return _without_place(error)
    return (
        ""
        if size == (width, height)
        else f"the picture has {size[0]} × {size[1]} px, the table says {width} × {height}"
    )


def decode_colour(content: bytes) -> np.ndarray | None:
    """Return an image file's bytes as BGR uint8 [height, width, 3], damaged or not; None where they are no image."""
    return decode_whole(content)[0] if content else None


def decode_grey(content: bytes) -> tuple[str, np.ndarray | None]:
    """Return what is wrong with an image file's bytes ("" for nothing), and the picture, uint8 [height, width]; None =
    no image.
    """
    fault = image_fault(content)
    picture, complaint = decode_whole(content) if content else (None, "")
    if picture is None:
        return fault or complaint or "is no image, or one that is damaged", None
    return fault or complaint, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)


def inspect_image(path: Path) -> tuple[str, float, float]:
    """Return (fault, width, height) of an image file; sizes are NaN where it cannot be decoded."""
    fault, picture = decode_grey(Path(path).read_bytes())
    return (fault, *picture_size(picture))


def picture_size(picture: np.ndarray | None) -> tuple[float, float]:
    """Return width and height in px, NaN for no picture: its fault tells enough."""
    return (float(picture.shape[1]), float(picture.shape[0])) if picture is not None else (np.nan, np.nan)


def _without_place(error: ReidopsError) -> str:
    return str(error).removeprefix(": ")
