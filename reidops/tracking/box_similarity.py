"""BoostTrack's similarities of predicted boxes and detections, [num_tracks, num_detections], in 0 … 1.

After Stanojević and Todorović, "BoostTrack: boosting the similarity measure and detection confidence for improved
multiple object tracking", 2024, and "BoostTrack++: using tracklet information to detect more objects in multiple object
tracking", 2024.
"""

import numpy as np

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
    return np.exp(-_relative_differences(track_ltrb, box_ltrb, 0) - _relative_differences(track_ltrb, box_ltrb, 1))


def soft_biou(track_ltrb: np.ndarray, box_ltrb: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return the IoU of the boxes of a pair after both are enlarged, the more the lower the confidence of the track.

    Args:
        confidence: of the tracks, [num_tracks], in 0 … 1; at 1 the soft BIoU is the IoU.
    """
    uncertainty = (1 - confidence)[:, None]
    shared = tracks = boxes = np.ones(())  # areas: products of the lengths along x and along y
    for axis in (0, 1):
        track_near, track_far = _enlarged(track_ltrb[:, None, axis::2], _TRACK_BUFFER * uncertainty)
        box_near, box_far = _enlarged(box_ltrb[None, :, axis::2], _DETECTION_BUFFER * uncertainty)
        shared = shared * np.maximum(np.minimum(track_far, box_far) - np.maximum(track_near, box_near), 0)
        tracks, boxes = tracks * np.maximum(track_far - track_near, 0), boxes * np.maximum(box_far - box_near, 0)
    union = tracks + boxes - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _enlarged(edges: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the near and the far edges, from edges [..., 2], with these shares of the length added on each side."""
    near, far = edges[..., 0], edges[..., 1]
    margins = shares * (far - near)
    return near - margins, far + margins


def _relative_differences(track_ltrb: np.ndarray, box_ltrb: np.ndarray, axis: int) -> np.ndarray:
    """Return the difference of the widths (0) or heights (1) of each pair over the larger one, [num_tracks, n]."""
    tracks = (track_ltrb[:, axis + 2] - track_ltrb[:, axis])[:, None]
    boxes = box_ltrb[:, axis + 2] - box_ltrb[:, axis]
    return np.abs(tracks - boxes) / np.maximum(np.maximum(tracks, boxes), 1e-9)
