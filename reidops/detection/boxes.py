"""Filter, clip and sort the boxes of a detector."""

import numpy as np
import supervision as sv

from reidops.mot.boxes import areas_ltrb, clip_ltrb


def found(box_ltrb: np.ndarray, confidence: np.ndarray, picture: np.ndarray, min_confidence: float) -> sv.Detections:
    """Return the people in a picture [h, w, 3] in descending order of confidence, class 1.

    Args:
        box_ltrb: [n, 4] in px of the picture; boxes are clipped to it, and boxes outside it are left out.
        confidence: [n]; boxes below `min_confidence` are left out.
    """
    height, width = picture.shape[:2]
    inside = clip_ltrb(np.asarray(box_ltrb, dtype=float).reshape(-1, 4), width, height)
    rows = np.flatnonzero((confidence >= min_confidence) & (areas_ltrb(inside) > 0))
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    return sv.Detections(
        xyxy=inside[rows], confidence=confidence[rows].astype(float), class_id=np.ones(len(rows), dtype=int)
    )
