"""SORT, from Bewley, Ge, Ott, Ramos and Upcroft, "Simple online and realtime tracking", 2016. Section numbers are the
paper's.
"""

import numpy as np
import supervision as sv

from reidops.tracking.association import match_best, staged
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import SortConstants
from reidops.tracking.decisions import OVERLAP, Decisions
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.tracks import NO_TRACK, Observations, Tracks, observe, output_detections

OVERLAPPING = "overlap"


class Sort:
    """Kalman motion model and assignment by IoU (section 3.3).

    A new track is tentative (section 3.4). It is removed if it is unmatched before `min_hits` consecutive matches. A
    confirmed track is returned in every frame with a match, and removed after more than `max_age` unmatched frames. The
    tracker uses neither appearance nor camera motion.

    Attributes:
        decisions: association of the last update; None before the first.
    """

    def __init__(
        self, constants: SortConstants = SortConstants(), gate: float | None = None, camera: CameraMotion | None = None
    ) -> None:
        """Start without tracks; `gate` and `camera` are ignored, all trackers share one signature."""
        self.decisions: Decisions | None = None
        self._constants = constants
        self._tracks = Tracks(XysrMotion())

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of confirmed tracks in one frame, with `tracker_id` set; see `Tracker`."""
        seen, tracks = observe(detections, None), self._tracks
        tracks.predict()
        self.decisions = self._compute_decisions(seen)
        track_of_detection = tracks.update(self.decisions.pairs, seen)
        free = np.flatnonzero(track_of_detection == NO_TRACK)
        track_of_detection[free] = tracks.start(seen, free)
        tracks.confirm(track_of_detection[tracks.hits[track_of_detection] >= self._constants.min_hits])
        ids, boxes = tracks.ids_of(track_of_detection), tracks.reported_boxes(track_of_detection, self._constants.boxes)
        tracks.keep(tracks.age <= np.where(tracks.confirmed, self._constants.max_age, 0))
        return output_detections(detections, seen, ids, boxes)

    def _compute_decisions(self, seen: Observations) -> Decisions:
        costs, limit = 1 - self._tracks.overlaps(seen), 1 - self._constants.iou
        pairs = staged(match_best(costs, limit), OVERLAPPING)
        return Decisions(self._tracks.ids, seen.rows, {OVERLAP: costs}, {OVERLAP: limit}, tuple(pairs))
