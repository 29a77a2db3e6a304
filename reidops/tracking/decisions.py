"""The association of one frame: the cost terms of all tracks and detections, the gates, and the matched pairs with
their stage.

The pictures of identity switches and the count of associations that appearance decided are computed from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

OVERLAP, APPEARANCE, MOTION = "overlap", "appearance", "motion"


@dataclass(frozen=True)
class Decisions:
    """The association of one frame; rows are the tracks before the frame, columns are detections.

    Attributes:
        track_ids: [num_tracks], −1 for a tentative track.
        rows: [num_detections], index of each column among the caller's detections.
        terms: name → cost, [num_tracks, num_detections]. `overlap` is 1 − IoU with the predicted box and always
            present, `appearance` is in the tracker's own cost, `motion` is a squared Mahalanobis distance. NaN = not
            compared.
        limits: name → gate, the largest value of the term that passes; a term without a gate has no entry.
        pairs: (track row, detection column, stage); the stage names are defined in the tracker's file.
    """

    track_ids: np.ndarray
    rows: np.ndarray
    terms: Mapping[str, np.ndarray]
    limits: Mapping[str, float]
    pairs: tuple[tuple[int, int, str], ...]
