"""Join detections to tracks by a tracker with strict settings, without appearance."""

import numpy as np
import pandas as pd

from reidops.boxes.embeddings import EmbeddedDetections, choose_detections
from reidops.tracking.constants import ByteTrackConstants, OcSortConstants, SortConstants
from reidops.tracking.trackers import new_tracker, track_sequence
from reidops.tracklets.rules import JoinRules

BOX = ["left", "top", "width", "height"]
_DUPLICATE_IOU = 0.8  # of two boxes with a larger IoU, the less confident one is a duplicate
_ANY_CONFIDENCE = -1e9


def join_detections(detections: pd.DataFrame, rules: JoinRules, frames: range) -> pd.DataFrame:
    """Return the boxes of all tracks: frame, left, top, width, height, confidence, track; px 0-based.

    The rows are ordered by track and frame. Boxes that belong to no track have the track −1: they still cover people.

    Args:
        detections: a detections table (tables.DETECTIONS).
        frames: all frames of the part, 1-based.
    """
    chosen = choose_detections(detections, min_confidence=rules.min_confidence, nms=_DUPLICATE_IOU)
    without_appearance = EmbeddedDetections(
        chosen["frame"].to_numpy(np.int32),
        chosen[BOX].to_numpy(np.float64),
        chosen["confidence"].to_numpy(np.float32),
        np.zeros((len(chosen), 0), np.float32),
        "",
    )
    tracker = new_tracker(rules.tracker, None, _constants(rules))
    tracks = track_sequence(tracker, without_appearance, frames, appearance=False)
    tracks = tracks[tracks["detection"] >= 0]
    track_of = np.full(len(chosen), -1)
    track_of[tracks["detection"].to_numpy()] = tracks["track_id"].to_numpy()
    boxes = chosen[["frame", *BOX, "confidence"]].assign(track=track_of)
    return boxes.sort_values(["track", "frame"], kind="stable").reset_index(drop=True)


def _constants(rules: JoinRules) -> ByteTrackConstants | SortConstants | OcSortConstants:
    """Return a tracker's constants: every match needs the least IoU, and a track ends after `max_gap` frames."""
    most = max(1, rules.max_gap)
    if rules.tracker == "sort":
        return SortConstants(iou=rules.match_iou, max_age=most, min_hits=1, boxes="detections")
    if rules.tracker == "ocsort":
        return OcSortConstants(
            high=_ANY_CONFIDENCE, low=_ANY_CONFIDENCE, iou=rules.match_iou, max_age=most, min_hits=0, boxes="detections"
        )
    cost = 1 - rules.match_iou
    return ByteTrackConstants(
        high=_ANY_CONFIDENCE,
        low=_ANY_CONFIDENCE,
        new=_ANY_CONFIDENCE,
        match=cost,
        second=cost,
        unconfirmed=cost,
        fuse_score=False,
        max_age=most,
        boxes="detections",
    )
