"""SORT, from Bewley, Ge, Ott, Ramos and Upcroft, "Simple online and realtime tracking", 2016. Section numbers are the paper's."""

import numpy as np
import supervision as sv

from reidops.tracking.association import match_best, staged
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import SortConstants
from reidops.tracking.decisions import OVERLAP, Decisions
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.tracks import NOBODY, Observations, Tracks, observe, shown

OVERLAPPING = "overlap"


class Sort:
    """Kalman motion, and the assignment that overlaps most (section 3.3).

    A new track is on probation (section 3.4): missed before it was seen `min_hits` times in a row, it is forgotten; then it is shown
    wherever it is seen, and given up after more than `max_age` frames unseen. Appearance and the camera play no part.

    Attributes:
        decisions: of the last update, None before the first.
    """

    def __init__(
        self, constants: SortConstants = SortConstants(), gate: float | None = None, camera: CameraMotion | None = None
    ) -> None:
        """Start without tracks; `gate` and `camera` are there so that all trackers are built alike, and ignored."""
        self.decisions: Decisions | None = None
        self._constants = constants
        self._tracks = Tracks(XysrMotion())

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of one frame that belong to proven tracks, with `tracker_id` set; see `Tracker`."""
        seen, tracks = observe(detections, None), self._tracks
        tracks.predict()
        self.decisions = self._decide(seen)
        owners = tracks.see(self.decisions.pairs, seen)
        free = np.flatnonzero(owners == NOBODY)
        owners[free] = tracks.start(seen, free)
        tracks.confirm(owners[tracks.hits[owners] >= self._constants.min_hits])
        ids, boxes = tracks.ids_of(owners), tracks.reported_boxes(owners, self._constants.boxes)
        tracks.keep(tracks.age <= np.where(tracks.confirmed, self._constants.max_age, 0))
        return shown(detections, seen, ids, boxes)

    def _decide(self, seen: Observations) -> Decisions:
        costs, limit = 1 - self._tracks.overlaps(seen), 1 - self._constants.iou
        pairs = staged(match_best(costs, limit), OVERLAPPING)
        return Decisions(self._tracks.ids, seen.rows, {OVERLAP: costs}, {OVERLAP: limit}, tuple(pairs))
