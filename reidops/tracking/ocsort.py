"""OC-SORT, from Cao, Pang, Weng, Khirodkar and Kitani, "Observation-Centric SORT: rethinking SORT for robust
multi-object tracking", 2023.

Its three parts: observation-centric momentum (OCM), recovery (OCR) and re-update (ORU).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import supervision as sv
from scipy.optimize import linear_sum_assignment

from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.tracking.appearance import Memory
from reidops.tracking.association import Pair, StagedPair, split_pairs
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import OcSortConstants
from reidops.tracking.decisions import OVERLAP, Decisions
from reidops.tracking.motion import BoxMotion
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.sightings import Sightings, reupdate
from reidops.tracking.tracks import NO_TRACK, UNCONFIRMED, Observations, Tracks, observe, output_detections

FIRST, LOW_SCORE, RECOVERED = "first", "low score", "recovered"  # the stages of the association
DIRECTION = "direction"  # a term of the decisions: 0 = same direction, 1 = opposite direction

Match = tuple[int, int, str]  # track row, detection column, stage


class Stage(NamedTuple):
    """One association: scores whose sum is maximized, mask of allowed pairs, both [num_tracks, num_detections], and
    detections.
    """

    scores: np.ndarray
    passes: np.ndarray
    columns: np.ndarray  # mask [num_detections] of the detections of this association


class OcSort:
    """SORT with three observation-centric steps.

    OCM adds the consistency of the direction between observations to the IoU. OCR matches unmatched tracks by the IoU
    with their last observation. ORU recomputes the filter state of a recovered track along a virtual trajectory over
    the gap.

    As published, all matched tracks are returned in the first `min_hits` frames. Later a track is returned after
    `min_hits` consecutive matches, not counting its first detection. The count starts again after each loss.
    """

    def __init__(
        self,
        constants: OcSortConstants = OcSortConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        """Start without tracks; `gate` and `camera` are ignored, all trackers share one signature."""
        self._initialize(constants, None, XysrMotion())

    def _initialize(self, constants: OcSortConstants, memory: Memory | None, motion: BoxMotion) -> None:
        self._constants = constants
        self._tracks = Tracks(motion, memory)
        self._sightings = Sightings(self._tracks.state, constants.delta)
        self._num_frames = 0
        self.decisions: Decisions | None = None

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of tracks with enough consecutive matches, with `tracker_id` set; see `Tracker`."""
        return self._track_frame(detections, observe(detections, None))

    def _track_frame(self, detections: sv.Detections, seen: Observations) -> sv.Detections:
        """Process one frame and return its output."""
        constants, tracks = self._constants, self._tracks
        self._num_frames += 1
        seen = seen[seen.confidence >= (constants.low if constants.byte else constants.high)]
        self._predict()
        terms, limits = self._cost_terms(seen)
        matches = match_stages(self._stages(seen, terms))
        matches += self._recovered(seen, matches)
        self.decisions = Decisions(tracks.ids.copy(), seen.rows, terms, limits, tuple(matches))
        track_of_detection = self._update_tracks(matches, seen)
        ids = self._output_ids(track_of_detection)
        boxes = tracks.reported_boxes(track_of_detection, constants.boxes)
        result = output_detections(detections, seen, ids, boxes)
        self._keep(tracks.age <= constants.max_age)
        return result

    def _keep(self, alive: np.ndarray) -> None:
        """Remove the tracks outside the mask."""
        if alive.all():
            return
        self._tracks.keep(alive)
        self._sightings.keep(alive)

    def _predict(self) -> None:
        """Predict all tracks."""
        self._tracks.predict()

    def _cost_terms(self, seen: Observations) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return the cost terms by name, [num_tracks, num_detections], and the gates by name."""
        overlap = self._tracks.overlaps(seen)
        terms = {OVERLAP: 1 - overlap, DIRECTION: 0.5 - self._sightings.agreement(seen.box_ltwh)}
        return terms, {OVERLAP: 1 - self._constants.iou}

    def _stages(self, seen: Observations, terms: dict[str, np.ndarray]) -> dict[str, Stage]:
        """Return the first association and, with `byte`, ByteTrack's with low-score detections."""
        overlap, least = 1 - terms[OVERLAP], self._constants.iou
        high = seen.confidence >= self._constants.high
        stages = {FIRST: Stage(self._first_scores(seen, terms), overlap >= least, high)}
        if self._constants.byte:
            stages[LOW_SCORE] = Stage(overlap, overlap >= least, ~high)
        return stages

    def _recovered(self, seen: Observations, matches: list[Match]) -> list[Match]:
        """Match the tracks and the high-score detections that are left by the last observations (OCR)."""
        matched_rows, matched_columns = split_pairs(matches)
        is_free_row, is_free_column = np.ones(len(self._tracks), dtype=bool), seen.confidence >= self._constants.high
        is_free_row[matched_rows] = is_free_column[matched_columns] = False
        rows, columns = np.flatnonzero(is_free_row), np.flatnonzero(is_free_column)
        if not (len(rows) and len(columns)):
            return []
        overlap = self._box_overlap(ltwh_to_ltrb(self._sightings.last[rows]), seen.box_ltrb[columns])
        return _matches(*_largest_sum(overlap, overlap >= self._constants.iou, rows, columns), RECOVERED)

    def _box_overlap(self, a_ltrb: np.ndarray, b_ltrb: np.ndarray) -> np.ndarray:
        """Return the measure of overlap of each box with each box, [num_a, num_b]: the IoU."""
        return iou_matrix(a_ltrb, b_ltrb)

    def _first_scores(self, seen: Observations, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return the sum of IoU and direction (OCM); as published, the confidence of the detection multiplies the
        direction.
        """
        direction = self._constants.inertia * seen.confidence * (0.5 - terms[DIRECTION])
        return 1 - terms[OVERLAP] + direction

    def _update_tracks(self, pairs: Sequence[Pair | StagedPair], seen: Observations) -> np.ndarray:
        """Update matched tracks, start new ones, and return the track row of each detection, `NO_TRACK` for none."""
        tracks = self._tracks
        rows, columns = split_pairs(pairs)
        box_ltwh = seen.box_ltwh[columns]
        self._reupdate(rows, box_ltwh)
        track_of_detection = tracks.update(pairs, seen)
        if seen.embeddings is not None:
            self._remember(rows, seen[columns])
        self._sightings.update(rows, tracks.state[rows], box_ltwh)
        if self._constants.as_coded:
            self._sightings.forget_before(rows[tracks.hits[rows] == 2])
        free = np.flatnonzero((track_of_detection == NO_TRACK) & (seen.confidence >= self._constants.high))
        track_of_detection[free] = tracks.start(seen, free)
        self._sightings.append(tracks.state[track_of_detection[free]], seen.box_ltwh[free])
        return track_of_detection

    def _reupdate(self, rows: np.ndarray, box_ltwh: np.ndarray) -> None:
        """Recompute the filter state of the lost tracks among the matched tracks `rows` (ORU)."""
        lost = self._tracks.age[rows] > 1
        if not lost.any():
            return
        tracks, sightings, rows = self._tracks, self._sightings, rows[lost]
        state = reupdate(tracks.motion, sightings.state[rows], sightings.last[rows], box_ltwh[lost], tracks.age[rows])
        if self._constants.as_coded:
            state = tracks.motion.correct(state, box_ltwh[lost])
        tracks.state = tracks.state.replaced(rows, state)

    def _remember(self, rows: np.ndarray, seen: Observations) -> None:
        """Update the appearance of the tracks of these rows; OC-SORT has none."""

    def _output_ids(self, track_of_detection: np.ndarray) -> np.ndarray:
        """Return the track id of each detection, `UNCONFIRMED` for one that is not returned."""
        return confirm_streaks(self._tracks, track_of_detection, self._constants.min_hits, self._num_frames)


def confirm_streaks(tracks: Tracks, track_of_detection: np.ndarray, min_hits: int, num_frames: int) -> np.ndarray:
    """Confirm the tracks to return and return each detection's track id; `UNCONFIRMED` for a detection that is not
    returned.

    A track is returned after `min_hits` consecutive matches, not counting its first detection; in the first `min_hits`
    frames of a video all matched tracks are.

    Args:
        num_frames: the number of the current frame, from 1.
    """
    after_first = tracks.streak - (tracks.hits == tracks.streak)
    visible = (tracks.age == 0) & ((after_first >= min_hits) | (num_frames <= min_hits))
    matched = np.flatnonzero(track_of_detection != NO_TRACK)
    matched = matched[visible[track_of_detection[matched]]]
    tracks.confirm(track_of_detection[matched])
    ids = np.full(len(track_of_detection), UNCONFIRMED)
    ids[matched] = tracks.ids[track_of_detection[matched]]
    return ids


def match_stages(stages: dict[str, Stage]) -> list[Match]:
    """Return the pairs of each stage; a stage matches the tracks and detections that the earlier stages left unmatched.

    As published, the assignment includes all pairs of a stage, and forbidden pairs are removed afterwards.
    """
    matches: list[Match] = []
    first = next(iter(stages.values()))
    free_rows, free_columns = (np.ones(size, dtype=bool) for size in first.scores.shape)
    for name, stage in stages.items():
        rows, columns = np.flatnonzero(free_rows), np.flatnonzero(free_columns & stage.columns)
        among = rows[:, None], columns
        matched_rows, matched_columns = _largest_sum(stage.scores[among], stage.passes[among], rows, columns)
        matches += _matches(matched_rows, matched_columns, name)
        free_rows[matched_rows] = free_columns[matched_columns] = False
    return matches


def _largest_sum(
    scores: np.ndarray, passes: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of the full assignment of largest total score, without those that do not pass, as two arrays.

    Args:
        scores, passes: [num_rows, num_columns].
        rows, columns: the numbers of the rows and columns that are returned.
    """
    if not passes.any():
        return rows[:0], columns[:0]
    chosen_rows, chosen_columns = linear_sum_assignment(scores, maximize=True)
    kept = passes[chosen_rows, chosen_columns]
    return rows[chosen_rows[kept]], columns[chosen_columns[kept]]


def _matches(rows: np.ndarray, columns: np.ndarray, stage: str) -> list[Match]:
    return [(row, column, stage) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)]
