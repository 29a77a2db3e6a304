"""Can an image be read whole, and what size is it."""

from pathlib import Path

import cv2
import numpy as np

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_END_WITHIN = 1024  # some cameras pad a file behind its end marker


def image_fault(content: bytes | memoryview) -> str:
    """Return what keeps an image file's bytes from being read, "" for nothing found; decodes nothing.

    Some builds of libjpeg decode a JPEG that breaks off, with a grey rest, so its end marker is looked for here.
    """
    if not len(content):
        return "zero bytes"
    if bytes(content[:2]) == _JPEG_START and _JPEG_END not in bytes(content[-_END_WITHIN:]):
        return "breaks off: the JPEG's end is missing"
    return ""


def decode_grey(content: bytes | memoryview) -> np.ndarray | None:
    """Return an image file's bytes as uint8 [height, width], or None where they are no image."""
    if not len(content):
        return None
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)


def inspect_image(path: Path) -> tuple[str, int, int]:
    """Return (fault, width, height) of an image file; sizes are 0 px where it cannot be decoded."""
    content = Path(path).read_bytes()
    image = decode_grey(content)
    if image is None:
        return image_fault(content) or "is no image", 0, 0
    return image_fault(content), image.shape[1], image.shape[0]
