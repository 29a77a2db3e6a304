"""Cut boxes out of a sequence's frames, each frame decoded once and the crops of several frames in one batch."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path

import cv2
import numpy as np

from reidops.errors import ReidopsError
from reidops.mot.boxes import clip_ltrb, ltwh_to_ltrb
from reidops.mot.sequences import Sequence

# A crop narrower or lower than this [px] inside the frame says nothing about a person.
MIN_CROP_SIDE = 4
# Half of the cores decode: the network, or what feeds a GPU, needs the others.
THREADS = max(1, (os.cpu_count() or 1) // 2)
_JPEG_START, _JPEG_END, _JPEG_END_WITHIN = b"\xff\xd8", b"\xff\xd9", 1024


def crop_batches(
    sequence: Sequence, frames: np.ndarray, box_ltwh: np.ndarray, batch_size: int
) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """Yield (rows, BGR crops) of `batch_size` boxes each, the last batch smaller; boxes that are too small inside their frame are left out.

    Args:
        frames: 1-based, [n], ascending.
        box_ltwh: px, 0-based, [n, 4].

    Raises:
        ReidopsError: a frame that holds a box is missing or cannot be decoded.
    """
    crops = _crops(sequence, frames, box_ltwh)
    while batch := list(islice(crops, batch_size)):
        rows, pictures = zip(*batch, strict=True)
        yield list(rows), list(pictures)


def cut_box(picture: np.ndarray, box_ltwh: np.ndarray) -> np.ndarray:
    """Return a copy of the part of a picture [h, w, 3] in a box, cut to the picture and to whole pixels; it may be empty."""
    height, width = picture.shape[:2]
    left, top, right, bottom = np.round(clip_ltrb(ltwh_to_ltrb(box_ltwh), width, height)).astype(int)
    return picture[top:bottom, left:right].copy()


def read_frame(sequence: Sequence, frame: int, *, halved: bool = False) -> np.ndarray:
    """Return a frame, BGR uint8 [h, w, 3]; `halved` as in `read_picture`.

    Raises:
        ReidopsError: the file is missing, cut off, or is no picture.
    """
    remedy = f"there are boxes in that frame of {sequence.name}, fetch the data set again"
    return read_picture(sequence.frame_path(frame), remedy, halved=halved)


def read_picture(path: Path, remedy: str = "copy or unpack the frames again", *, halved: bool = False) -> np.ndarray:
    """Return a picture, BGR uint8 [h, w, 3].

    Args:
        halved: half as wide and high, for which a JPEG is decoded in less than half the time.

    Raises:
        ReidopsError: the file is missing, cut off, or is no picture; says the remedy.
    """
    encoded = path.read_bytes() if path.is_file() else b""
    # OpenCV paints what is missing of a cut JPEG grey and says nothing, so its end is looked for here; some cameras pad behind it.
    whole = encoded and not (encoded.startswith(_JPEG_START) and _JPEG_END not in encoded[-_JPEG_END_WITHIN:])
    size = cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), size) if whole else None
    if picture is None:
        found = f"its {len(encoded):,} bytes are no whole picture" if path.is_file() else "no such file"
        raise ReidopsError(f"{path}: {found}; {remedy}")
    return picture


def _crops(sequence: Sequence, frames: np.ndarray, box_ltwh: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (row, BGR crop) of every box that is large enough inside its frame; OpenCV frees the GIL, so threads decode."""
    waiting: deque[Future[list[tuple[int, np.ndarray]]]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for frame, rows in groupby(range(len(frames)), key=lambda row: int(frames[row])):
            waiting.append(pool.submit(_cut_frame, sequence, frame, list(rows), box_ltwh))
            if len(waiting) > 2 * THREADS:  # no more frames than these are ahead, however slow the network is
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _cut_frame(sequence: Sequence, frame: int, rows: list[int], box_ltwh: np.ndarray) -> list[tuple[int, np.ndarray]]:
    picture = read_frame(sequence, frame)
    crops = [(row, cut_box(picture, box_ltwh[row])) for row in rows]
    return [(row, crop) for row, crop in crops if min(crop.shape[:2]) >= MIN_CROP_SIDE]
