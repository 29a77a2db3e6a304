"""BoostTrack's similarities of predicted boxes and detections, [num_tracks, num_detections], in 0 … 1.

After Stanojević and Todorović, "BoostTrack: boosting the similarity measure and detection confidence for improved
multiple object tracking", 2024, and "BoostTrack++: using tracklet information to detect more objects in multiple object
tracking", 2024.
"""

import numpy as np

from reidops.mot.boxes import areas_ltrb

# The 99 % quantile of χ² with 4 degrees of freedom: pairs with a larger squared Mahalanobis distance have similarity 0.
MAHALANOBIS_LIMIT = 13.2767
# Shares of a box's extent by which the soft BIoU enlarges detections and tracks of confidence 0, on each side.
_DETECTION_BUFFER, _TRACK_BUFFER = 0.25, 0.5


def mahalanobis_similarity(distances: np.ndarray) -> np.ndarray:
    """Return the share of each detection in the softmax of a track's detections; 0 beyond `MAHALANOBIS_LIMIT`.

    Args:
        distances: squared Mahalanobis distances.
    """
    if not distances.size:
        return np.zeros_like(distances)
    limited = np.minimum(distances, MAHALANOBIS_LIMIT)
    weights = np.exp(limited.min(axis=1, keepdims=True) - limited)
    return np.where(distances > MAHALANOBIS_LIMIT, 0, weights / weights.sum(axis=1, keepdims=True))


def shape_similarity(track_ltrb: np.ndarray, box_ltrb: np.ndarray) -> np.ndarray:
    """Return exp(−d), where d adds the relative differences of widths and of heights."""
    tracks, boxes = track_ltrb[:, None, 2:] - track_ltrb[:, None, :2], box_ltrb[None, :, 2:] - box_ltrb[None, :, :2]
    differences = np.abs(tracks - boxes) / np.maximum(np.maximum(tracks, boxes), 1e-9)
    return np.exp(-differences.sum(axis=2))


def soft_biou(track_ltrb: np.ndarray, box_ltrb: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return the IoU of the boxes of a pair after both are enlarged, the more the lower the confidence of the track.

    Args:
        confidence: of the tracks, [num_tracks], in 0 … 1; at 1 the soft BIoU is the IoU.
    """
    uncertainty = (1 - confidence)[:, None, None]
    tracks = _enlarged(track_ltrb[:, None], _TRACK_BUFFER * uncertainty)
    boxes = _enlarged(box_ltrb[None], _DETECTION_BUFFER * uncertainty)
    shared = areas_ltrb(
        np.concatenate(
            [np.maximum(tracks[..., :2], boxes[..., :2]), np.minimum(tracks[..., 2:], boxes[..., 2:])], axis=-1
        )
    )
    union = areas_ltrb(tracks) + areas_ltrb(boxes) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _enlarged(box_ltrb: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the boxes [..., 4] with these shares of their extent added on each side."""
    margin = shares * (box_ltrb[..., 2:] - box_ltrb[..., :2])
    return np.concatenate([box_ltrb[..., :2] - margin, box_ltrb[..., 2:] + margin], axis=-1)
