"""C-BIoU, from Yang, Odashima, Masui and Jiang, "Hard to track objects with irregular motions and similar appearances?
Make it easier by buffering the matching space", 2023.

There is no code of the authors. What the paper leaves open (the least overlap of a pair, tentative tracks, tracks with
few observations, a displacement across a gap) is decided here; `CBiouConstants` and docs/deviations.md name it.
"""

from collections.abc import Sequence

import numpy as np
import supervision as sv

from reidops.mot.boxes import iou_matrix
from reidops.tracking.association import Pair, free_columns, free_rows, match_best, split_pairs, staged
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import CBiouConstants
from reidops.tracking.decisions import OVERLAP, Decisions
from reidops.tracking.motion_mean import MeanMotion, mean_displacements
from reidops.tracking.tracks import NO_TRACK, Observations, Tracks, observe, output_detections

# the stages of the association, and the terms of the decisions: 1 − IoU of the buffered boxes
SMALL_BUFFER, LARGE_BUFFER = "small buffer", "large buffer"
_DISPLACEMENTS = "displacements"  # a column of the tracks: px per frame between observations, newest first; NaN = none


class CBiou:
    """Assignment by the IoU of buffered boxes in two stages: a small buffer first, then a large one for the rest.

    A buffer enlarges the boxes of tracks and detections in proportion to their size, so boxes that do not overlap may
    match. Instead of a Kalman filter, a track moves on from its last observation by the mean displacement of its last
    observations. The returned box is that of the detection. The tracker uses neither appearance nor camera motion.

    Attributes:
        decisions: association of the last update; None before the first.
    """

    def __init__(
        self,
        constants: CBiouConstants = CBiouConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        """Start without tracks; `gate` and `camera` are ignored, all trackers share one signature."""
        self.decisions: Decisions | None = None
        self._constants = constants
        self._tracks = Tracks(MeanMotion(), columns={_DISPLACEMENTS: (constants.window, 4)})
        self._last = np.zeros((0, 4))  # the last observation of each track, box_ltwh

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of confirmed tracks in one frame, with `tracker_id` set; see `Tracker`."""
        seen, tracks = observe(detections, None), self._tracks
        tracks.predict()
        self.decisions = self._compute_decisions(seen)
        self._add_displacements(self.decisions.pairs, seen)
        track_of_detection = tracks.update(self.decisions.pairs, seen)
        self._set_velocities()
        free = np.flatnonzero(track_of_detection == NO_TRACK)
        track_of_detection[free] = new = tracks.start(seen, free)
        tracks[_DISPLACEMENTS][new] = np.nan
        self._last = np.concatenate([self._last, seen.box_ltwh[free]])
        tracks.confirm(track_of_detection[tracks.hits[track_of_detection] >= self._constants.min_hits])
        ids = tracks.ids_of(track_of_detection)
        self._keep(tracks.age <= np.where(tracks.confirmed, self._constants.max_age, 0))
        return output_detections(detections, seen, ids)

    def _compute_decisions(self, seen: Observations) -> Decisions:
        """Compute the cost terms and match tracks with detections in two stages."""
        constants, box_ltrb = self._constants, self._tracks.box_ltrb
        terms = {
            OVERLAP: 1 - self._tracks.overlaps(seen),
            SMALL_BUFFER: 1 - buffered_iou(box_ltrb, seen.box_ltrb, constants.small),
            LARGE_BUFFER: 1 - buffered_iou(box_ltrb, seen.box_ltrb, constants.large),
        }
        limit = 1 - constants.biou
        first = match_best(terms[SMALL_BUFFER], limit)
        second = _match_rest(terms[LARGE_BUFFER], limit, first)
        pairs = staged(first, SMALL_BUFFER) + staged(second, LARGE_BUFFER)
        limits = {SMALL_BUFFER: limit, LARGE_BUFFER: limit}
        return Decisions(self._tracks.ids, seen.rows, terms, limits, tuple(pairs))

    def _add_displacements(self, pairs: Sequence[tuple[int, int, str]], seen: Observations) -> None:
        """Record the displacement per frame of each matched track since its last observation."""
        rows, columns = split_pairs(pairs)
        history = self._tracks[_DISPLACEMENTS]
        history[rows, 1:] = history[rows, :-1]
        history[rows, 0] = (seen.box_ltwh[columns] - self._last[rows]) / self._tracks.age[rows, None]
        self._last[rows] = seen.box_ltwh[columns]

    def _set_velocities(self) -> None:
        """Set the velocity of each track to the mean of its displacements."""
        means = self._tracks.state.means.copy()
        means[:, 4:] = mean_displacements(self._tracks[_DISPLACEMENTS])
        self._tracks.state = MeanMotion.state_of(means)

    def _keep(self, alive: np.ndarray) -> None:
        self._tracks.keep(alive)
        self._last = self._last[alive]


def buffered_iou(a_ltrb: np.ndarray, b_ltrb: np.ndarray, buffer: float) -> np.ndarray:
    """Return the IoU of each box with each box, [num_a, num_b], after a buffer is added to all of them (section 3.1).

    Args:
        buffer: added on each side, as a share of the width or height of the box.
    """
    return iou_matrix(_buffered(a_ltrb, buffer), _buffered(b_ltrb, buffer))


def _buffered(box_ltrb: np.ndarray, buffer: float) -> np.ndarray:
    margin = buffer * (box_ltrb[:, 2:] - box_ltrb[:, :2])
    return np.concatenate([box_ltrb[:, :2] - margin, box_ltrb[:, 2:] + margin], axis=1)


def _match_rest(costs: np.ndarray, limit: float, taken: Sequence[Pair]) -> list[Pair]:
    """Match the tracks and detections that are in no pair of `taken`."""
    rows, columns = free_rows(costs, taken), free_columns(costs, taken)
    return [(rows[row], columns[column]) for row, column in match_best(costs[np.ix_(rows, columns)], limit)]
