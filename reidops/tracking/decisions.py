"""What a tracker weighed in one frame: the cost terms of every track and detection, the gates, and who was matched in which stage.

It is what pictures of identity switches show, and what tells how many associations appearance decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

OVERLAP, APPEARANCE, MOTION = "overlap", "appearance", "motion"


@dataclass(frozen=True)
class Decisions:
    """One frame's association; rows are tracks as they stood before the frame, columns are detections.

    Attributes:
        track_ids: [num_tracks], −1 for one that is not shown yet.
        rows: [num_detections], which of the caller's detections each column is.
        terms: name → cost, [num_tracks, num_detections]; `overlap` is 1 − IoU with the predicted box and always there,
            `appearance` is in the tracker's own cost, `motion` a squared Mahalanobis distance. NaN = not weighed.
        limits: name → the largest value of that term that its gate lets pass; a term without a gate is not named.
        pairs: (track row, detection column, stage), the stage by the name that the tracker's file gives it.
    """

    track_ids: np.ndarray
    rows: np.ndarray
    terms: Mapping[str, np.ndarray]
    limits: Mapping[str, float]
    pairs: tuple[tuple[int, int, str], ...]
