"""The identity of each box: the annotation that it is matched to in its frame."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.mot.sequences import PEDESTRIAN

NO_PERSON = -1
"""The row or track_id of a box without an annotation."""

MATCH_IOU = 0.5
EPS = np.finfo(float).eps
"""TrackEval subtracts it from a threshold, so that an IoU of exactly one half is a match."""

Candidates = Literal["pedestrians", "all"]


def annotated_rows(
    frames: np.ndarray, box_ltwh: np.ndarray, annotations: pd.DataFrame, *, among: Candidates
) -> np.ndarray:
    """Return the annotation that each box is matched to, by position in `annotations`, int64 [n]; else NO_PERSON.

    Args:
        frames: 1-based, [n].
        box_ltwh: px, 0-based, [n, 4].
        among: annotations that take part. `pedestrians` = considered pedestrians only, the people to be recognised.
            `all` = also other classes and annotations that are not considered, as in MOTChallenge's preprocessing: a
            box on a distractor is not matched to a pedestrian beside it.
    """
    taking_part = np.ones(len(annotations), dtype=bool)
    if among == "pedestrians":
        taking_part = ((annotations["class_id"] == PEDESTRIAN) & annotations["considered"]).to_numpy(dtype=bool)
    people = np.flatnonzero(taking_part)
    box_ltrb = ltwh_to_ltrb(box_ltwh)
    people_ltrb = ltwh_to_ltrb(annotations[["left", "top", "width", "height"]].to_numpy(dtype=float)[people])
    people_by_frame = _rows_by_frame(annotations["frame"].to_numpy()[people])
    matched = np.full(len(frames), NO_PERSON)
    for frame, boxes in _rows_by_frame(frames).items():
        candidates = people_by_frame.get(frame, np.empty(0, int))
        rows, columns = match_boxes(iou_matrix(people_ltrb[candidates], box_ltrb[boxes]))
        matched[boxes[columns]] = people[candidates[rows]]
    return matched


def people_of_boxes(
    frames: np.ndarray, box_ltwh: np.ndarray, annotations: pd.DataFrame, *, among: Candidates
) -> np.ndarray:
    """Return the track_id of the annotation that each box is matched to, int64 [n]; NO_PERSON for none.

    See `annotated_rows` for the arguments.
    """
    rows = annotated_rows(frames, box_ltwh, annotations, among=among)
    return np.append(annotations["track_id"].to_numpy(), NO_PERSON)[rows]  # row −1 is the last


def match_boxes(similarities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the one-to-one matches with the largest total IoU, each of at least one half.

    TrackEval's preprocessing matches the same way. `similarities` are IoU, [num_rows, num_columns].
    """
    scores = np.where(similarities >= MATCH_IOU - EPS, similarities, 0)
    rows, columns = linear_sum_assignment(-scores)
    matched = scores[rows, columns] > EPS
    return rows[matched], columns[matched]


def _rows_by_frame(frames: np.ndarray) -> dict[int, np.ndarray]:
    order = np.argsort(frames, kind="stable")
    numbers, starts = np.unique(frames[order], return_index=True)
    # for no frames, split returns one empty part
    return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=False))
