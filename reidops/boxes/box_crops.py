"""Cut boxes out of a sequence's frames; each frame is decoded once, and a batch holds the crops of several frames."""

from itertools import groupby, pairwise
from pathlib import Path

import cv2
import numpy as np

from reidops.boxes.cutting import MIN_CROP_SIDE, cut_box
from reidops.errors import ReidopsError
from reidops.image_headers import check_pointer, states_size
from reidops.mot.sequences import Sequence
from reidops.picture_depth import check_depth

_JPEG_START, _JPEG_END, _JPEG_END_WITHIN = b"\xff\xd8", b"\xff\xd9", 1024


def frame_batches(frames: np.ndarray, batch_size: int) -> list[slice]:
    """Return batches of whole frames as slices of rows, with at most `batch_size` rows, or those of one frame.

    Args:
        frames: 1-based, [n], ascending.
    """
    starts = np.append(np.flatnonzero(np.diff(frames, prepend=-1)), len(frames))
    batches, first = [], 0
    for start, end in pairwise(starts.tolist()):
        if end - first > batch_size and start > first:
            batches.append(slice(first, start))
            first = start
    return [*batches, slice(first, len(frames))] if len(frames) else []


def cut_boxes(sequence: Sequence, frames: np.ndarray, box_ltwh: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the rows of the boxes that are large enough inside their frame, and their BGR crops.

    Each frame is decoded once.

    Args:
        frames: 1-based, [n], ascending.
        box_ltwh: px, 0-based, [n, 4].

    Raises:
        ReidopsError: a frame that holds a box is missing or cannot be decoded.
    """
    cut: list[tuple[int, np.ndarray]] = []
    for frame, rows in groupby(range(len(frames)), key=lambda row: int(frames[row])):
        picture = read_frame(sequence, frame)
        cut += [(row, cut_box(picture, box_ltwh[row])) for row in rows]
    large_enough = [(row, crop) for row, crop in cut if min(crop.shape[:2]) >= MIN_CROP_SIDE]
    return np.array([row for row, _ in large_enough], int), [crop for _, crop in large_enough]


def read_frame(sequence: Sequence, frame: int, *, halved: bool = False) -> np.ndarray:
    """Return a frame, BGR uint8 [h, w, 3]; `halved` as in `read_picture`.

    Raises:
        ReidopsError: the file is missing, truncated, or not a picture.
    """
    remedy = f"there are boxes in that frame of {sequence.name}, fetch the data set again"
    return read_picture(sequence.frame_path(frame), remedy, halved=halved)


def read_picture(path: Path, remedy: str = "copy or unpack the frames again", *, halved: bool = False) -> np.ndarray:
    """Return a picture, BGR uint8 [h, w, 3].

    Args:
        halved: half width and height; a JPEG is then decoded in less than half the time.

    Raises:
        ReidopsError: the file is missing, truncated, has too many pixels, would be read as black, or is not a picture;
            names the remedy.
    """
    encoded = path.read_bytes() if path.is_file() else b""
    check_pointer(encoded, str(path))
    # OpenCV fills the missing part of a truncated JPEG with grey without an error, so the end marker is checked here;
    # some cameras append padding.
    whole = encoded and not (encoded.startswith(_JPEG_START) and _JPEG_END not in encoded[-_JPEG_END_WITHIN:])
    size = cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR
    picture = (
        cv2.imdecode(np.frombuffer(encoded, np.uint8), size) if whole and states_size(encoded, str(path)) else None
    )
    if picture is None:
        found = f"its {len(encoded):,} bytes are no whole picture" if path.is_file() else "no such file"
        raise ReidopsError(f"{path}: {found}; {remedy}")
    check_depth(encoded, str(path))
    return picture
