"""Boxes as arrays [n, 4] of px: ltwh ↔ ltrb, overlap, clipping, suppression.

Coordinates are continuous: a box from 10 to 20 is 10 px wide. They are rounded only where pixels are cut.
"""

import numpy as np


def ltwh_to_ltrb(box_ltwh: np.ndarray) -> np.ndarray:
    """Return (left, top, right, bottom) of boxes (left, top, width, height), [..., 4]."""
    box = np.array(box_ltwh, dtype=float)
    box[..., 2:] += box[..., :2]
    return box


def ltrb_to_ltwh(box_ltrb: np.ndarray) -> np.ndarray:
    """Return (left, top, width, height) of boxes (left, top, right, bottom), [..., 4]."""
    box = np.array(box_ltrb, dtype=float)
    box[..., 2:] -= box[..., :2]
    return box


def iou_matrix(a_ltrb: np.ndarray, b_ltrb: np.ndarray) -> np.ndarray:
    """Return the intersection over union of every box with every box, [num_a, num_b], in 0 … 1.

    The intersection over union of a box without area is 0, also with itself.
    """
    a = np.asarray(a_ltrb, dtype=float).reshape(-1, 4)
    b = np.asarray(b_ltrb, dtype=float).reshape(-1, 4)
    intersection = _overlaps(a, b, 0)
    intersection *= _overlaps(a, b, 1)
    union = areas_ltrb(a)[:, None] + areas_ltrb(b)
    union -= intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def _overlaps(a: np.ndarray, b: np.ndarray, axis: int) -> np.ndarray:
    """Return the overlap in px of every box with every box along x (0) or y (1), [num_a, num_b]."""
    lengths = np.minimum(a[:, None, axis + 2], b[:, axis + 2])
    lengths -= np.maximum(a[:, None, axis], b[:, axis])
    return np.maximum(lengths, 0, out=lengths)


def areas_ltrb(box_ltrb: np.ndarray) -> np.ndarray:
    """Return the areas in px², [...]; 0 for a box with right < left or bottom < top."""
    size = np.maximum(box_ltrb[..., 2:] - box_ltrb[..., :2], 0)
    return size[..., 0] * size[..., 1]


def clip_ltrb(boxes: np.ndarray, width: float, height: float) -> np.ndarray:
    """Return the boxes [..., 4] clipped to the frame [0, width] × [0, height]; a box outside it gets area 0."""
    return np.clip(np.asarray(boxes, dtype=float), 0, [width, height, width, height])


def unsuppressed(box_ltrb: np.ndarray, confidence: np.ndarray, max_iou: float) -> np.ndarray:
    """Return the rows of the boxes [n, 4] that non-maximum suppression keeps, in descending order of confidence.

    A box is removed if its IoU with a kept box of higher confidence is above `max_iou`.
    """
    remaining = np.argsort(-confidence, kind="stable")
    kept = []
    while len(remaining):
        best, remaining = remaining[0], remaining[1:]
        kept.append(best)
        remaining = remaining[iou_matrix(box_ltrb[best], box_ltrb[remaining])[0] <= max_iou]
    return np.array(kept, dtype=int)
