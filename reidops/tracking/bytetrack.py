"""ByteTrack, from Zhang, Sun, Jiang, Yu, Weng, Yuan, Luo, Liu and Wang, "ByteTrack: Multi-object tracking by
associating every detection box", 2022.

The implementation follows algorithm 1 of the paper. What the paper does not specify (the score in the cost, tentative
tracks, duplicates) follows the authors' code.
"""

from typing import ClassVar

import numpy as np
import supervision as sv

from reidops.mot.boxes import iou_matrix
from reidops.tracking.appearance import Memory
from reidops.tracking.association import StagedPair, free_columns, match_among, staged
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import ByteTrackConstants
from reidops.tracking.decisions import OVERLAP, Decisions
from reidops.tracking.motion import BoxMotion, XyahMotion
from reidops.tracking.tracks import NO_TRACK, UNCONFIRMED, Observations, Tracks, observe, output_detections

FIRST, SECOND, PROBATION = "first", "second (low confidence)", "unconfirmed"
# Further terms of the decisions: 1 − IoU · score of the high-score detections, and 1 − IoU of the low-score detections.
SCORED_OVERLAP, LOW_SCORE_OVERLAP = "overlap with score", "overlap of low confidence"
_STARTED = "started"  # a column of the tracks: the frame in which each was started


class ByteTrack:
    """Kalman motion model and IoU in two associations: high-score detections first, then low-score detections.

    The second association uses the tracks that were matched in the previous frame. Low-score detections extend tracks
    and never start one. Tracks of the first frame are confirmed at once. Later tracks are tentative: a match with a
    high-score detection in the next frame confirms them, otherwise they are removed. The tracker uses neither
    appearance nor camera motion.

    Attributes:
        motion: the Kalman motion model of the class.
        decisions: association of the last update, without the detections below `low`; None before the first.
    """

    motion: ClassVar[BoxMotion] = XyahMotion()

    def __init__(
        self,
        constants: ByteTrackConstants = ByteTrackConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        """Start without tracks; `gate` and `camera` are ignored, all trackers share one signature."""
        self._initialize(constants, None)

    def _initialize(self, constants: ByteTrackConstants, memory: Memory | None) -> None:
        self._constants = constants
        self._tracks = Tracks(self.motion, memory, {_STARTED: ()})
        self._num_frames = 0
        self.decisions: Decisions | None = None

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of confirmed tracks in one frame, with `tracker_id` set; see `Tracker`."""
        return self._track_frame(detections, observe(detections, None), frame)

    def _track_frame(self, detections: sv.Detections, seen: Observations, frame: np.ndarray | None) -> sv.Detections:
        """Process one frame and return its output."""
        tracks = self._tracks
        seen = seen[seen.confidence >= self._constants.low]
        self._predict(frame)
        self.decisions = self._compute_decisions(seen)
        track_of_detection = self._update_tracks(seen, self.decisions.pairs)
        alive = (tracks.age <= np.where(tracks.confirmed, self._constants.max_age, 0)) & ~self._duplicates()
        is_output = np.append(alive, False)[track_of_detection]  # `NO_TRACK`, −1, is the last
        ids = np.where(is_output, tracks.ids_of(track_of_detection), UNCONFIRMED)
        boxes = tracks.reported_boxes(track_of_detection, self._constants.boxes)
        tracks.keep(alive)
        return output_detections(detections, seen, ids, boxes)

    def _predict(self, frame: np.ndarray | None) -> None:
        """Predict all tracks; lost tracks keep their size."""
        self._num_frames += 1
        self._tracks.predict(keeps_size=self._tracks.age > 0)

    def _compute_decisions(self, seen: Observations) -> Decisions:
        """Compute the cost terms and match tracks with detections."""
        terms, limits = self._cost_terms(seen)
        return Decisions(self._tracks.ids, seen.rows, terms, limits, tuple(self._associate(seen, terms)))

    def _cost_terms(self, seen: Observations) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return the cost terms, [num_tracks, num_detections], and the gate of each term."""
        constants = self._constants
        overlap, high = self._tracks.overlaps(seen), self._is_high_score(seen)
        scores = np.clip(seen.confidence, 0, 1) if constants.fuse_score else 1.0
        terms = {
            OVERLAP: 1 - overlap,
            SCORED_OVERLAP: np.where(high, 1 - overlap * scores, np.nan),
            LOW_SCORE_OVERLAP: np.where(high, np.nan, 1 - overlap),
        }
        return terms, {OVERLAP: constants.match, SCORED_OVERLAP: constants.match, LOW_SCORE_OVERLAP: constants.second}

    def _associate(self, seen: Observations, terms: dict[str, np.ndarray]) -> list[StagedPair]:
        """Run the two associations of the paper, then match tentative tracks with the remaining high-score
        detections.
        """
        tracks, constants = self._tracks, self._constants
        costs, high = self._costs(terms), self._is_high_score(seen)
        takes_part = tracks.confirmed | constants.all_tracks
        first = match_among(costs, constants.match, np.flatnonzero(takes_part), np.flatnonzero(high))
        left = takes_part & ((tracks.age == 1) | constants.all_tracks)
        left[[row for row, _ in first]] = False
        second = match_among(terms[LOW_SCORE_OVERLAP], constants.second, np.flatnonzero(left), np.flatnonzero(~high))
        free = [column for column in free_columns(costs, first) if high[column]]
        third = match_among(costs, constants.unconfirmed, np.flatnonzero(~takes_part), free)
        return staged(first, FIRST) + staged(second, SECOND) + staged(third, PROBATION)

    def _costs(self, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return the cost matrix of tracks and high-score detections, [num_tracks, num_detections]."""
        return terms[SCORED_OVERLAP]

    def _update_tracks(self, seen: Observations, pairs: tuple[StagedPair, ...]) -> np.ndarray:
        """Update matched tracks, start new ones, and return the track row of each detection, `NO_TRACK` for none."""
        tracks = self._tracks
        track_of_detection = tracks.update(pairs, seen)
        known = np.flatnonzero((track_of_detection != NO_TRACK) & self._is_high_score(seen))
        tracks.remember(track_of_detection[known], None if seen.embeddings is None else seen.embeddings[known])
        tracks.confirm(np.sort(track_of_detection[track_of_detection != NO_TRACK]))
        may_start = self._is_high_score(seen) & (seen.confidence >= self._constants.new)
        free = np.flatnonzero((track_of_detection == NO_TRACK) & may_start)
        track_of_detection[free] = new = tracks.start(seen, free)
        tracks[_STARTED][new] = self._num_frames
        if self._num_frames == 1:
            tracks.confirm(new)
        return track_of_detection

    def _is_high_score(self, seen: Observations) -> np.ndarray:
        return seen.confidence >= self._constants.high

    def _duplicates(self) -> np.ndarray:
        """Return the mask [num_tracks] of duplicates: of a lost and a matched track that overlap, the younger one is a
        duplicate.
        """
        tracks = self._tracks
        found, lost = np.flatnonzero(tracks.age == 0), np.flatnonzero((tracks.age > 0) & tracks.confirmed)
        gone = np.zeros(len(tracks), dtype=bool)
        if not (len(found) and len(lost)):
            return gone
        box_ltrb, life = tracks.box_ltrb, self._num_frames - tracks.age - tracks[_STARTED]
        same = iou_matrix(box_ltrb[found], box_ltrb[lost]) > self._constants.duplicate
        lost_is_younger = life[found][:, None] > life[lost]
        gone[lost] = (same & lost_is_younger).any(axis=0)
        gone[found] = (same & ~lost_is_younger).any(axis=1)
        return gone
