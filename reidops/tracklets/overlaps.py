"""How much the boxes of a frame overlap, and how much of each is visible."""

import numpy as np
import pandas as pd

from reidops.mot.boxes import areas_ltrb, clip_ltrb, iou_matrix, ltwh_to_ltrb
from reidops.tracklets.joining import BOX


def with_overlaps(boxes: pd.DataFrame, width: int, height: int) -> pd.DataFrame:
    """Return the boxes with the columns `overlap` and `visible`.

    `overlap` is the largest IoU with another box of the frame. `visible` is the share of the box inside the frame,
    times the share that the most overlapping box in front of it leaves free; a box is in front if its lower edge is
    lower, as that of a person who is nearer to the camera.

    Args:
        boxes: frame, left, top, width, height in px; the index is 0 … n − 1.
        width, height: of the frame, px.
    """
    box_ltrb = ltwh_to_ltrb(boxes[BOX].to_numpy())
    overlap, covered = np.zeros(len(boxes)), np.zeros(len(boxes))
    for rows in boxes.groupby("frame").indices.values():
        overlap[rows], covered[rows] = _of_frame(box_ltrb[rows])
    inside = areas_ltrb(clip_ltrb(box_ltrb, width, height)) / areas_ltrb(box_ltrb)
    return boxes.assign(overlap=overlap, visible=inside * (1 - covered))


def _of_frame(box_ltrb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest IoU with another box, and the largest share covered by a box in front, [n] each."""
    iou = iou_matrix(box_ltrb, box_ltrb)
    np.fill_diagonal(iou, 0)
    areas = areas_ltrb(box_ltrb)
    shared = iou * (areas[:, None] + areas) / (1 + iou)  # the intersection, px²
    is_front = box_ltrb[None, :, 3] > box_ltrb[:, None, 3]
    return iou.max(axis=1), np.where(is_front, shared / areas[:, None], 0).max(axis=1)
