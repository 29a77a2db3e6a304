"""Who is in a detector's box: the pedestrian of the ground truth that it overlaps."""

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb

NOBODY = -1
MIN_IOU = 0.5  # the official scores', too
PEDESTRIAN = 1


def annotated_rows(frames: np.ndarray, box_ltwh: np.ndarray, annotations: pd.DataFrame) -> np.ndarray:
    """Return the row of the annotation that each box shows, by position in `annotations`, int64 [n]; NOBODY where none
    does.

    In each frame boxes and considered pedestrians are assigned one to one, at an IoU of at least one half, so that the
    sum of their overlaps is largest.

    Args:
        frames: 1-based, [n].
        box_ltwh: px, 0-based, [n, 4].
    """
    people = np.flatnonzero((annotations["class_id"] == PEDESTRIAN) & annotations["considered"])
    box_ltrb, people_ltrb = (
        ltwh_to_ltrb(boxes) for boxes in (box_ltwh, annotations[["left", "top", "width", "height"]].to_numpy()[people])
    )
    of_people = _rows_by_frame(annotations["frame"].to_numpy()[people])
    shown = np.full(len(frames), NOBODY)
    for frame, boxes in _rows_by_frame(frames).items():
        there = of_people.get(frame, np.empty(0, int))
        first, second = _assign(iou_matrix(box_ltrb[boxes], people_ltrb[there]))
        shown[boxes[first]] = people[there[second]]
    return shown


def people_of_boxes(frames: np.ndarray, box_ltwh: np.ndarray, annotations: pd.DataFrame) -> np.ndarray:
    """Return the track_id of the annotation that each box shows, int64 [n], NOBODY where none does; arguments as
    above.
    """
    rows = annotated_rows(frames, box_ltwh, annotations)
    track_ids = annotations["track_id"].to_numpy()
    return np.where(rows == NOBODY, NOBODY, track_ids[rows]) if len(track_ids) else rows


def _assign(overlaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = linear_sum_assignment(np.where(overlaps >= MIN_IOU, overlaps, 0.0), maximize=True)
    enough = overlaps[first, second] >= MIN_IOU
    return first[enough], second[enough]


def _rows_by_frame(frames: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(frames, kind="stable")
    numbers, starts = np.unique(frames[order], return_index=True)
    # no frames are split into one part of none
    return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=False))
