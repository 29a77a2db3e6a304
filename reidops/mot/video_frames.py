"""Decode single frames of a video file in order, without unpacking it. Imports are light: workers repeat them.

A frame has the number that `reidops track` gives it: frames count from 1 in the order in which OpenCV decodes them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from reidops.errors import ReidopsError
from reidops.image_headers import check_size


def decode_frames(path: Path, numbers: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (number, picture) of some frames of a video, BGR uint8 [h, w, 3].

    A video that breaks off ends the iteration; frames between the wanted ones are decoded and not converted.

    Args:
        numbers: 1-based, ascending.

    Raises:
        ReidopsError: the file is missing, or no frame can be read.
    """
    capture = open_video(path)
    place = 0
    try:
        for number in numbers:
            while place < number and capture.grab():
                place += 1
            if place < number:
                return
            is_read, picture = capture.retrieve()
            if not is_read:
                return
            yield number, picture
    finally:
        capture.release()


def open_video(path: Path) -> cv2.VideoCapture:
    """Return an open video file.

    Raises:
        ReidopsError: the file is missing, no video, or so damaged that no frame can be read.
    """
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; put the video there again, or run `dvc repro -f download`")
    capture = cv2.VideoCapture(str(path))
    check_size(int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), str(path))
    if not capture.isOpened() or not capture.grab():
        raise ReidopsError(
            f"{path}: 0 frames can be read: the file is not a video, it is truncated, or its codec is not installed; "
            f"copy it again, convert it with `ffmpeg -i {path.name} -c:v mpeg4 -q:v 2 readable.mp4`, or remove it"
        )
    capture.release()
    return cv2.VideoCapture(str(path))
