"""The trackers by name, and how one runs over a sequence.

A new tracker is a file beside `deepsort.py`, a dataclass in `constants.py` and a name here.
"""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import pandas as pd
import supervision as sv

from reidops.mot.boxes import ltrb_to_ltwh, ltwh_to_ltrb
from reidops.tracking.constants import DeepSortConstants
from reidops.tracking.deepsort import DeepSort
from reidops.tracking.embeddings import EmbeddedDetections

__all__ = ["TRACKERS", "DeepSort", "Tracker", "new_tracker", "track_sequence"]

TRACKERS = {"deepsort": DeepSort}

_TRACK_COLUMNS = ("frame", "track_id", "left", "top", "width", "height", "confidence")


class Tracker(Protocol):
    """What every tracker offers, for a live video and for the pipeline alike."""

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of one frame that belong to confirmed tracks, with `tracker_id` set.

        It is called once for every frame in order, also for one without detections (`sv.Detections.empty()`).

        Args:
            detections: `xyxy` is box_ltrb in px.
            embeddings: unit rows [num_detections, dim]; a row of zeros = none for this one; None = track without appearance.
            frame: the picture, BGR uint8 [h, w, 3], for trackers that look at it.

        Raises:
            ReidopsError: a box or an embedding is not finite, a box has no area, or there are more or fewer embeddings.
        """


def new_tracker(name: str, cosine_gate: float, constants: DeepSortConstants) -> Tracker:
    """Return a tracker by its name in params.yaml; it has seen no frame."""
    return TRACKERS[name](cosine_gate, constants)


def track_sequence(tracker: Tracker, detected: EmbeddedDetections, frames: Iterable[int], *, appearance: bool = True) -> pd.DataFrame:
    """Return the tracks of a sequence: frame, track_id, left, top, width, height, confidence; px 0-based.

    Args:
        detected: its rows may come in any order.
        frames: the 1-based frames to run over, in order, those without detections too.
        appearance: False = keep the embeddings from the tracker.
    """
    rows_of = detected.rows_by_frame()
    results = [(frame, _update(tracker, detected, rows_of.get(frame, []), appearance)) for frame in frames]
    frame_of_row = np.concatenate([[0], *([frame] * len(result) for frame, result in results)])[1:].astype(int)
    box_ltwh = ltrb_to_ltwh(np.concatenate([np.zeros((0, 4)), *(result.xyxy for _, result in results)]))
    ids = np.concatenate([np.zeros(0, int), *(result.tracker_id for _, result in results)])
    confidence = np.concatenate([np.zeros(0), *(result.confidence for _, result in results)])
    return pd.DataFrame(dict(zip(_TRACK_COLUMNS, (frame_of_row, ids, *box_ltwh.T, confidence), strict=True)))


def _update(tracker: Tracker, detected: EmbeddedDetections, rows: list[int], appearance: bool) -> sv.Detections:
    detections = sv.Detections(
        xyxy=ltwh_to_ltrb(detected.box_ltwh[rows]), confidence=detected.confidence[rows], class_id=np.ones(len(rows), dtype=int)
    )
    return tracker.update(detections, detected.embeddings[rows] if appearance else None)
