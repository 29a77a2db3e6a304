"""Refuse 16-bit pictures that would be read as black, because only the upper 8 bits are read."""

import cv2
import numpy as np

from reidops.errors import ReidopsError
from reidops.image_headers import states_size

_FULL, _DARK = 65535, 1 / 16  # largest 16-bit value, and the share of it below which the upper 8 bits are nearly 0
_PNG, _PNG_DEPTH = b"\x89PNG", 24  # signature, and offset of the bits per channel
_TIFF = (b"II*\0", b"MM\0*")


def check_depth(data: bytes, where: str) -> None:
    """Check that a PNG or TIFF with 16 bits per channel has values above the lowest sixteenth, or is all zero.

    Raises:
        ReidopsError: only the lowest bits are used, as by cameras with 10 or 12 bits.
    """
    if not _may_have_16_bits(data) or not states_size(data, where):
        return
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint16 or not 0 < picture.max() < _DARK * _FULL:
        return
    raise ReidopsError(
        f"{where}: has 16 bits and no value above {picture.max():,} of {_FULL:,}, so that it would be read as black; "
        "scale the pictures to 8 bits, all by the same factor"
    )


def _may_have_16_bits(data: bytes) -> bool:
    return data.startswith(_TIFF) or (data.startswith(_PNG) and data[_PNG_DEPTH : _PNG_DEPTH + 1] == b"\x10")
