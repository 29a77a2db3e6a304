"""Check that boxes are in px of their frames; the rule is the same for ground truth, detection files and detectors."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError

logger = logging.getLogger(__name__)

_LEAST = 10  # minimum number of boxes for an error
_CLEAR = 0.99  # minimum share of the boxes that fit a unit
_BEYOND = 0.1  # share of the boxes that reach out of the frame, above which the unit is checked
_MOST_OUTSIDE = 0.5  # share of the boxes with their centre outside, above which an error is raised
_MANY = 50  # minimum number of boxes for a warning about where all of them are
_SMALL = (
    0.55  # share of the width and of the height to which no box reaches, below which a smaller resolution is likely
)
SHARES, CORNERS, RESOLUTION, CENTERS = "shares", "corners", "resolution", "centers"


@dataclass(frozen=True)
class Misfit:
    """The likely reason why boxes are not in px of their frames; `is_certain` if it is an error, else a warning."""

    kind: str
    fault: str
    remedy: str
    is_certain: bool

    def __str__(self) -> str:
        """Return the fault and its remedy."""
        return f"{self.fault}; {self.remedy}"


def find_misfit(box_ltwh: np.ndarray, width: int, height: int) -> Misfit | None:
    """Return the fault of boxes [n, 4] in frames of width × height px, None if there is none.

    Boxes are 0-based px. Four faults are recognised: shares of the frame (no side above 1), corners (right and bottom
    in place of width and height, so that boxes reach out of the frame), boxes of another resolution, and centers in
    place of left and top.
    """
    boxes = np.asarray(box_ltwh, dtype=float).reshape(-1, 4)
    if not len(boxes):
        return None
    if width > 2 and height > 2 and (np.abs(boxes[:, :2] + 1) <= 2).all() and (boxes[:, 2:] <= 1.5).all():
        return Misfit(
            SHARES,
            f"the boxes are shares of the frame (0 … 1), not px: the largest is {boxes[:, 2].max():g} × "
            f"{boxes[:, 3].max():g}",
            f"multiply them by the frame's {width} × {height} px",
            True,
        )
    right_bottom = boxes[:, :2] + boxes[:, 2:]
    beyond = ((right_bottom - [width, height]) > np.maximum(0.1 * boxes[:, 2:], 2)).any(axis=1)
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    outside = float(((middles < 0) | (middles > [width, height])).any(axis=1).mean())
    enough = len(boxes) >= _LEAST
    if beyond.mean() > _BEYOND and _are_corners(boxes, width, height):
        return Misfit(
            CORNERS,
            f"{beyond.mean():.0%} of the boxes reach past the right or lower edge of the {width} × {height} px, and "
            f"the third and fourth numbers can be the right and lower corners",
            "write width and height instead, or name the columns in the first line of the file: "
            "frame,id,left,top,right,bottom,… (of ground truth also in download.formats: {SET: 'frame,id,…'})",
            enough and not _fits(boxes),
        )
    if outside > _BEYOND:
        most = right_bottom.max(axis=0)
        return Misfit(
            RESOLUTION,
            f"the middle of {outside:.0%} of the boxes is outside the {width} × {height} px (they reach to "
            f"{most[0]:.0f} × {most[1]:.0f})",
            f"they are of another resolution or of another sequence: scale them (detections by detect.scale"
            f"{_likely_scale(most, width, height)}), or use the file of this sequence",
            enough and outside > _MOST_OUTSIDE,
        )
    return _find_likely_misfit(boxes, width, height) if len(boxes) >= _MANY else None


def _find_likely_misfit(boxes: np.ndarray, width: int, height: int) -> Misfit | None:
    """Return a fault that many boxes [n, 4] inside their frames suggest but do not prove, None if there is none."""
    size = np.array([width, height])
    past = boxes[:, :2] + boxes[:, 2:] - size
    margin = np.maximum(0.1 * boxes[:, 2:], 2)
    most = (past + size).max(axis=0)
    if (most < _SMALL * size).all() and (boxes[:, :2] >= -1).all():
        return Misfit(
            RESOLUTION,
            f"no box reaches beyond {most[0]:.0f} × {most[1]:.0f} of the {width} × {height} px",
            f"if they are of a smaller resolution, scale them (detections by detect.scale"
            f"{_likely_scale(most, width, height)})",
            False,
        )
    are_centers = (boxes[:, :2] + 1 >= boxes[:, 2:] / 2).all() and (past <= boxes[:, 2:] / 2 + 2).all()
    if are_centers and (past > margin).any(axis=1).mean() > 0.01:
        return Misfit(
            CENTERS,
            f"boxes reach past the right and lower edges of the {width} × {height} px by up to half their size, and "
            f"none past the left and upper edges",
            "if the first two numbers of a box are its center, name the columns in the first line of the file: "
            "frame,id,center_x,center_y,width,height,… (of ground truth also in download.formats: {SET: 'frame,id,…'})",
            False,
        )
    return None


def _likely_scale(most: np.ndarray, width: int, height: int) -> str:
    """Return the factor that makes boxes that reach to `most` fit the frame, if it is equal for both sides."""
    across, down = width / most[0], height / most[1]
    return f", probably {min(across, down):.3g}" if abs(across - down) <= 0.05 * across else ""


def _are_corners(boxes: np.ndarray, width: int, height: int) -> bool:
    """Return whether nearly all boxes, read as corners, are inside the frame."""
    left_top, last = boxes[:, :2] + 1, boxes[:, 2:]
    inside = (last > left_top).all(axis=1) & (last <= np.array([width, height]) * 1.02 + 2).all(axis=1)
    return bool(inside.mean() >= _CLEAR)


def _fits(boxes: np.ndarray) -> bool:
    """Return whether every box is at the left upper corner, where widths and corners are the same."""
    return bool((boxes[:, :2] <= 1).all())


def check_boxes(boxes: pd.DataFrame, width: int, height: int, where: str) -> None:
    """Check boxes (columns left, top, width, height; px, 0-based) with `find_misfit`; warn if the fault is uncertain.

    Raises:
        ReidopsError: the boxes are not in px of their frames; the message has the likely cause and the remedy.
    """
    misfit = find_misfit(boxes[["left", "top", "width", "height"]].to_numpy(), width, height)
    if misfit is None:
        return
    if misfit.is_certain:
        raise ReidopsError(f"{where}: {misfit}")
    logger.warning("%s: %s", where, misfit)
