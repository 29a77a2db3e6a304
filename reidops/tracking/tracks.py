"""What all trackers share: a track, and the detections of a frame in an order of their own."""

from dataclasses import dataclass

import numpy as np
import supervision as sv

from reidops.errors import ReidopsError
from reidops.mot.boxes import ltrb_to_ltwh
from reidops.tracking.appearance import Gallery
from reidops.tracking.motion import State

UNCONFIRMED = -1


@dataclass(eq=False)
class Track:
    """One hypothesis: a person from when they are first seen until they are given up."""

    state: State  # of this one track
    gallery: Gallery
    track_id: int = UNCONFIRMED
    hits: int = 1  # detections so far
    age: int = 0  # frames since it was last seen

    @property
    def confirmed(self) -> bool:
        """Say whether the track was seen often enough to be shown."""
        return self.track_id != UNCONFIRMED


@dataclass(frozen=True)
class Observations:
    """The detections of one frame, sorted, so that tracks do not depend on the order in which a detector tells them.

    Attributes:
        box_ltwh: [n, 4] px.
        embeddings: [n, dim] unit rows, zeros where there is none; None in a tracker without appearance.
        rows: [n], which of the caller's detections each one is.
    """

    box_ltwh: np.ndarray
    embeddings: np.ndarray | None
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def observe(detections: sv.Detections, embeddings: np.ndarray | None) -> Observations:
    """Return the detections of a frame in canonical order.

    Raises:
        ReidopsError: a box is not finite or has no area, or the embeddings are not one finite row for each detection.
    """
    box_ltwh = ltrb_to_ltwh(detections.xyxy)
    confidence = np.zeros(len(box_ltwh)) if detections.confidence is None else detections.confidence
    _check_boxes(box_ltwh)
    if embeddings is not None:
        _check_embeddings(embeddings, len(box_ltwh))
    rows = np.lexsort([confidence, *box_ltwh.T])
    return Observations(box_ltwh[rows], None if embeddings is None else np.asarray(embeddings, np.float32)[rows], rows)


def shown(detections: sv.Detections, owners: dict[int, Track]) -> sv.Detections:
    """Return the detections (rows of the caller's order) whose track is confirmed, with `tracker_id` set."""
    rows = [row for row in sorted(owners) if owners[row].confirmed]
    result = detections[np.array(rows, dtype=int)]
    result.tracker_id = np.array([owners[row].track_id for row in rows], dtype=int)
    return result


def _check_boxes(box_ltwh: np.ndarray) -> None:
    wrong = ~(np.isfinite(box_ltwh).all(axis=1) & (box_ltwh[:, 2:] > 0).all(axis=1))
    if wrong.any():
        row = int(wrong.argmax())
        raise ReidopsError(
            f"detection {row}: box left, top, width, height = {box_ltwh[row].tolist()}; expected finite px and a positive size;"
            " drop such boxes before tracking"
        )


def _check_embeddings(embeddings: np.ndarray, num_detections: int) -> None:
    if embeddings.ndim != 2 or len(embeddings) != num_detections:
        raise ReidopsError(f"embeddings have the shape {embeddings.shape}, expected one row for each of {num_detections} detections")
    if not np.isfinite(embeddings).all():
        row = int((~np.isfinite(embeddings)).any(axis=1).argmax())
        raise ReidopsError(f"embedding {row} holds NaN or infinity; give a row of zeros to a detection that has none")
