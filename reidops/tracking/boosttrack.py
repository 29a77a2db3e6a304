"""BoostTrack++, from Stanojević and Todorović, "BoostTrack++: using tracklet information to detect more objects in
multiple object tracking", 2024.

It extends BoostTrack, from "BoostTrack: boosting the similarity measure and detection confidence for improved multiple
object tracking", 2024, by the same authors. The similarities are in `box_similarity.py`.
"""

from dataclasses import replace

import numpy as np
import supervision as sv

from reidops.mot.boxes import iou_matrix
from reidops.tracking.appearance import FARTHEST, Ema
from reidops.tracking.box_similarity import (
    MAHALANOBIS_LIMIT,
    mahalanobis_similarity,
    shape_similarity,
    soft_biou,
)
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import BoostTrackConstants
from reidops.tracking.decisions import APPEARANCE, OVERLAP, Decisions
from reidops.tracking.motion_xyhr import XyhrMotion
from reidops.tracking.ocsort import FIRST, Match, Stage, confirm_streaks, match_stages
from reidops.tracking.tracks import NO_TRACK, Observations, Tracks, observe, output_detections

# Terms of the decisions: squared Mahalanobis distance, and 1 − similarity of the shapes.
MAHALANOBIS, SHAPE = "mahalanobis", "shape"
_LIFE = "life"  # a column of the tracks: frames since each was started


class BoostTrack:
    """SORT with one association over a sum of similarities, and detections whose confidence tracks may raise.

    Before the association a detection that resembles a predicted box gets a higher confidence, by the soft boost and by
    the varying threshold, and so does one far from all tracks. Those that reach `high` are associated. The similarity
    of a pair adds the IoU, the IoU weighted by both confidences, the Mahalanobis similarity, the shape similarity and,
    with embeddings, the cosine similarity. A pair needs an IoU of `iou`, or half of it if appearance is within the
    gate.

    Args:
        gate: largest cosine distance of a pair with less overlap; None = the published value.
        camera: estimates the camera motion; None = static camera.

    Attributes:
        decisions: association of the last update; None before the first.
    """

    def __init__(
        self,
        constants: BoostTrackConstants = BoostTrackConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self.decisions: Decisions | None = None
        self._constants = constants
        self._gate = constants.gate if gate is None else gate
        self._camera = camera
        self._memory = Ema(constants.ema)
        self._tracks = Tracks(XyhrMotion(), self._memory, {_LIFE: ()})
        self._num_frames = 0

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of tracks with enough consecutive matches, with `tracker_id` set; see `Tracker`.

        The confidence of a returned detection is the detector's, not the raised one.
        """
        constants, tracks = self._constants, self._tracks
        self._predict(frame)
        seen = observe(detections, embeddings)
        terms = self._box_terms(seen)
        seen = self._boosted(seen, terms)
        used = np.flatnonzero(seen.confidence >= constants.high)
        seen, terms = seen[used], {name: term[:, used] for name, term in terms.items()}
        self.decisions = self._compute_decisions(seen, terms)
        track_of_detection = self._update_tracks(self.decisions.pairs, seen)
        ids = confirm_streaks(tracks, track_of_detection, constants.min_hits, self._num_frames)
        boxes = tracks.reported_boxes(track_of_detection, constants.boxes)
        tracks.keep(tracks.age <= constants.max_age)
        return output_detections(detections, seen, ids, boxes)

    def _predict(self, frame: np.ndarray | None) -> None:
        """Apply camera motion to the boxes, then predict all tracks."""
        self._num_frames += 1
        if self._camera is not None:
            self._tracks.warp_boxes(self._camera.affine(self._num_frames, frame))
        self._tracks.predict()
        self._tracks[_LIFE][:] += 1

    def _track_confidence(self) -> np.ndarray:
        """Return the confidence of the tracks, [num_tracks]: lower for young tracks and for lost ones."""
        constants, life = self._constants, self._tracks[_LIFE]
        exponents = np.where(life < constants.youth, constants.youth - life, self._tracks.age - 1)
        return constants.decay**exponents

    def _box_terms(self, seen: Observations) -> dict[str, np.ndarray]:
        """Return the cost terms of the boxes by name, [num_tracks, num_detections]."""
        tracks = self._tracks
        return {
            OVERLAP: 1 - tracks.overlaps(seen),
            MAHALANOBIS: tracks.motion.gate_distances(tracks.state, seen.box_ltwh),
            SHAPE: 1 - shape_similarity(tracks.box_ltrb, seen.box_ltrb),
        }

    def _boosted(self, seen: Observations, terms: dict[str, np.ndarray]) -> Observations:
        """Return the detections with raised confidences."""
        constants, distances = self._constants, terms[MAHALANOBIS]
        if not distances.size:
            return seen
        similarity = self._rich_similarity(seen, terms)
        confidence = seen.confidence
        if constants.soft_boost:
            confidence = soft_boost(confidence, similarity.max(axis=0), constants.keep_share, constants.power)
        if constants.varying_threshold:
            likely = (similarity > varying_thresholds(self._tracks.age)[:, None]).any(axis=0)
            confidence = np.where(likely, np.maximum(confidence, constants.high), confidence)
        if constants.unlikely_boost:
            unlikely = (distances > MAHALANOBIS_LIMIT).all(axis=0) & (confidence < constants.high)
            confidence = boost_unlikely(confidence, seen.box_ltrb, unlikely, constants.high)
        return replace(seen, confidence=confidence)

    def _rich_similarity(self, seen: Observations, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return the mean of Mahalanobis, shape and soft BIoU similarity, [num_tracks, num_detections]."""
        soft = soft_biou(self._tracks.box_ltrb, seen.box_ltrb, self._track_confidence())
        return (mahalanobis_similarity(terms[MAHALANOBIS]) + (1 - terms[SHAPE]) + soft) / 3

    def _compute_decisions(self, seen: Observations, terms: dict[str, np.ndarray]) -> Decisions:
        """Add the cost term of the appearance and match tracks with detections."""
        tracks, constants = self._tracks, self._constants
        limits = {OVERLAP: 1 - constants.iou}
        passes = terms[OVERLAP] <= limits[OVERLAP]
        if seen.embeddings is not None:
            terms = terms | {APPEARANCE: self._memory.distances(seen.embeddings)}
            limits[APPEARANCE] = self._gate
            passes |= (terms[OVERLAP] <= 1 - constants.iou / 2) & (terms[APPEARANCE] <= self._gate)
        stage = Stage(self._scores(seen, terms), passes, np.ones(len(seen), dtype=bool))
        return Decisions(tracks.ids, seen.rows, terms, limits, tuple(match_stages({FIRST: stage})))

    def _scores(self, seen: Observations, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return the similarity of each pair, [num_tracks, num_detections]."""
        constants, overlap = self._constants, 1 - terms[OVERLAP]
        confidence = self._track_confidence()[:, None] * seen.clipped_confidence
        confidence = np.where(overlap >= constants.iou, confidence, 0)
        scores = overlap + constants.iou_weight * confidence * overlap
        scores += constants.mahalanobis_weight * mahalanobis_similarity(terms[MAHALANOBIS])
        scores += constants.shape_weight * confidence * (1 - terms[SHAPE])
        if APPEARANCE in terms:
            others = 1 + constants.iou_weight + constants.mahalanobis_weight + constants.shape_weight
            similarity = np.where(terms[APPEARANCE] < FARTHEST, 1 - terms[APPEARANCE], 0)
            scores += constants.appearance_weight * others * similarity
        return scores

    def _update_tracks(self, pairs: tuple[Match, ...], seen: Observations) -> np.ndarray:
        """Update matched tracks, start new ones, and return the track row of each detection."""
        tracks = self._tracks
        track_of_detection = tracks.update(pairs, seen)
        columns = np.array([column for _, column, _ in pairs], dtype=int)
        self._remember(track_of_detection[columns], seen[columns])
        free = np.flatnonzero(track_of_detection == NO_TRACK)
        track_of_detection[free] = tracks.start(seen, free)
        return track_of_detection

    def _remember(self, rows: np.ndarray, seen: Observations) -> None:
        """Update the average embeddings, weighted by confidence as in Deep OC-SORT."""
        alpha, least = self._constants.ema, self._constants.high
        trust = np.clip((seen.confidence - least) / max(1 - least, 1e-6), 0, 1)
        self._tracks.remember(rows, seen.embeddings, alphas=alpha + (1 - alpha) * (1 - trust))


def soft_boost(confidence: np.ndarray, similarity: np.ndarray, keep_share: float, power: float) -> np.ndarray:
    """Return the confidences [n], raised to the weighted mean of each and a power of its largest similarity (SB)."""
    return np.maximum(confidence, keep_share * confidence + (1 - keep_share) * similarity**power)


def varying_thresholds(age: np.ndarray, first: float = 0.95, last: float = 0.8, num_steps: int = 20) -> np.ndarray:
    """Return the least similarity to each track at which a detection is likely, [num_tracks] (VT).

    Args:
        age: frames since the last match, 1 = matched in the previous frame. The threshold decreases with it.
    """
    return np.maximum(first - (age - 1) * (first - last) / num_steps, last)


def boost_unlikely(confidence: np.ndarray, box_ltrb: np.ndarray, unlikely: np.ndarray, least: float) -> np.ndarray:
    """Return the confidences [n], raised to `least` for detections far from all tracks (BoostTrack's DUO).

    Of those that overlap by more than 0.3 only the one of highest confidence is raised.

    Args:
        unlikely: mask [n] of the detections far from all tracks.
    """
    if not unlikely.any():
        return confidence
    rows = np.flatnonzero(unlikely)
    rows = rows[np.argsort(-confidence[rows], kind="stable")]
    covered = np.triu(iou_matrix(box_ltrb[rows], box_ltrb[rows]) > 0.3, 1).any(axis=0)
    raised = confidence.copy()
    raised[rows[~covered]] = least
    return raised
