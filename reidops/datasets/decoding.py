"""Decode an image and hear what the decoder complains about."""

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

# libjpeg paints over what it cannot read and says so on the standard error stream, nowhere else.
_COMPLAINT = re.compile(r"Corrupt JPEG data: .*|Premature end of JPEG file.*")
_LEFT_OVER = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
_END = b"\xff\xd9"


def decode_whole(data: bytes) -> tuple[np.ndarray | None, str]:
    """Return an image file's bytes as BGR uint8 [height, width, 3] (None = not decoded) and what is wrong with it, ""
    for nothing.

    A picture with more pixels than the bound is not decoded (`reidops.image_headers`).

    Found is damage after which the codes make no sense or end before the picture does: a hole, and about two thirds of
    what overwrites hundreds of bytes. Not found is damage after which the picture is full too soon, since OpenCV reads
    no further, and a few changed bytes that are another picture's code; a JPEG has no checksum.
    """
    size = stated_size(data)
    fault = size_fault(*size) if size else ""
    if size is None or fault:
        return None, fault
    with tempfile.TemporaryFile() as heard:
        with _errors_into(heard):
            image = _decode(data)
        told = _read_all(heard)
    complaint = _COMPLAINT.search(told)
    if complaint is None:
        sys.stderr.write(told)  # somebody else's words
        return image, ""
    return image, "" if _is_padding(complaint[0], data) else complaint[0]


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # its header states more pixels than OpenCV would ever decode
        return None


def _is_padding(complaint: str, data: bytes) -> bool:
    """Tell whether all that is left over before the end is one byte again and again: some cameras fill up so."""
    left_over, end = _LEFT_OVER.match(complaint), data.rfind(_END)
    return left_over is not None and len(set(data[end - int(left_over[1]) : end])) == 1


@contextmanager
def _errors_into(stream: IO[bytes]) -> Iterator[None]:
    """Send what this process writes to the standard error stream, C libraries included, into `stream` for a while."""
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
