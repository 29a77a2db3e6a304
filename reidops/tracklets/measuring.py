"""Measure the frames of a sequence in one pass: camera cuts, and the sharpness of boxes."""

from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from reidops.boxes.cutting import MIN_CROP_SIDE, cut_box
from reidops.boxes.frames import read_frames
from reidops.mot.sequences import Sequence
from reidops.progress_bar import progress_bar
from reidops.tracklets.joining import BOX

_SMALL = (64, 36)  # px, width and height of the pictures that are compared
_CHANGED = 25  # grey levels by which a pixel changes in a cut
_CROP_HEIGHT = 128  # px, at which sharpness is measured


@dataclass(frozen=True)
class Measured:
    """What the frames of a part show.

    Attributes:
        last_frame: the last frame that was read; less than that of the part if the video breaks off.
        changes: share of the pixels that changed since the frame before, by frame number.
        sharpness: variance of the Laplacian of each box, [num_boxes]; NaN for boxes that are too small or not read.
    """

    last_frame: int
    changes: dict[int, float]
    sharpness: np.ndarray

    def cuts(self, threshold: float) -> list[int]:
        """Return the numbers of the frames after a camera cut."""
        return [frame for frame, share in self.changes.items() if share > threshold]


def measure_frames(sequence: Sequence, frames: range, boxes: pd.DataFrame) -> Measured:
    """Read every frame once and return its change, and the sharpness of its boxes.

    Args:
        boxes: frame, left, top, width, height in px.

    Raises:
        ReidopsError: a picture is missing or damaged, or no frame of a video can be read.
    """
    rows_of = boxes.groupby("frame").indices
    box_ltwh = boxes[BOX].to_numpy()
    sharpness, changes = np.full(len(boxes), np.nan), {}
    before, number = None, frames.start - 1
    pictures = progress_bar(
        read_frames(sequence, frames), desc=f"measure {sequence.name}", total=len(frames), unit="frames"
    )
    for number, picture in pictures:
        small = cv2.GaussianBlur(cv2.resize(_grey(picture), _SMALL, interpolation=cv2.INTER_AREA), (3, 3), 0)
        if before is not None:
            changes[number] = float((cv2.absdiff(small, before) > _CHANGED).mean())
        before = small
        for row in rows_of.get(number, ()):
            sharpness[row] = _sharpness(cut_box(picture, box_ltwh[row]))
    return Measured(number, changes, sharpness)


def _sharpness(crop: np.ndarray) -> float:
    if min(crop.shape[:2]) < MIN_CROP_SIDE:
        return float("nan")
    width = max(1, round(crop.shape[1] * _CROP_HEIGHT / crop.shape[0]))
    scaled = cv2.resize(_grey(crop), (width, _CROP_HEIGHT), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(scaled, cv2.CV_64F).var())


def _grey(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
