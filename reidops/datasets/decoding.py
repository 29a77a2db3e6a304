"""Decode images, and detect damage from the decoder's messages."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import cv2
import numpy as np

from reidops.image_headers import size_fault, stated_size

# libjpeg fills damaged areas and reports them only on the standard error stream.
_COMPLAINT = re.compile(r"Corrupt JPEG data: .*|Premature end of JPEG file.*")
_LEFT_OVER = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_END = b"\xff\xd9"


def decode_whole(data: bytes) -> tuple[np.ndarray | None, str]:
    """Return a decoded image, BGR uint8 [height, width, 3] or None, and its fault, "" for none.

    An image with more pixels than the bound is not decoded (`reidops.image_headers`).

    Damage is detected if the codes become invalid or end early: missing bytes, and about two thirds of the cases with
    hundreds of overwritten bytes. It is not detected if the image is complete before the end of the codes, because
    OpenCV stops there, or if changed bytes are valid codes, because a JPEG has no checksum.
    """
    size = stated_size(data)
    fault = size_fault(*size) if size else ""
    if size is None or fault:
        return None, fault
    with tempfile.TemporaryFile() as captured:
        with _errors_into(captured):
            image = _decode(data)
        messages = _read_all(captured)
    complaint = _COMPLAINT.search(messages)
    if complaint is None:
        sys.stderr.write(messages)  # messages of other libraries are passed on
        return image, ""
    return image, "" if _is_padding(complaint[0], data) else complaint[0]


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # the header states more pixels than OpenCV decodes
        return None


def _is_padding(complaint: str, data: bytes) -> bool:
    """Return whether the extra bytes before the end marker are one repeated byte, which some cameras write."""
    left_over, end = _LEFT_OVER.match(complaint), data.rfind(_END)
    return left_over is not None and len(set(data[end - int(left_over[1]) : end])) == 1


@contextmanager
def _errors_into(stream: IO[bytes]) -> Iterator[None]:
    """Redirect the standard error stream of the process, including C libraries, to `stream` within the block."""
    before = os.dup(2)
    os.dup2(stream.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _read_all(stream: IO[bytes]) -> str:
    if not os.fstat(stream.fileno()).st_size:
        return ""
    stream.seek(0)
    return stream.read().decode(errors="replace")
