"""Hybrid-SORT, from Yang, Han, Yan, Zhang, Qi, Lu and Wang, "Hybrid-SORT: weak cues matter for online multi-object
tracking", 2024.

Its three parts: the height-modulated IoU (HMIoU), tracklet confidence modelling (TCM, `confidence_state.py`) and the
robust observation-centric momentum (ROCM, `corner_sightings.py`).
"""

from collections.abc import Sequence

import numpy as np

from reidops.mot.boxes import iou_matrix
from reidops.tracking.appearance import Ema
from reidops.tracking.association import Pair, StagedPair, split_pairs
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.confidence_state import ConfidenceState
from reidops.tracking.constants import HybridSortConstants
from reidops.tracking.corner_sightings import CornerSightings
from reidops.tracking.decisions import APPEARANCE, OVERLAP
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.ocsort import DIRECTION, FIRST, LOW_SCORE, Stage
from reidops.tracking.ocsort_appearance import OcSortWithAppearance
from reidops.tracking.tracks import NO_TRACK, Observations

# Terms of the decisions: 1 − HMIoU, and the differences between the confidence of a detection and the predicted one.
HEIGHT_OVERLAP, CONFIDENCE, LOW_CONFIDENCE = "overlap with height", "confidence", "low confidence"


class HybridSort(OcSortWithAppearance):
    """OC-SORT whose associations also weigh the height and the confidence of a box, and with embeddings appearance.

    HMIoU replaces the IoU in all associations. The first association subtracts the difference to the confidence that a
    Kalman filter predicts, the second the difference to a linear prediction. Directions are those of four corners over
    several intervals. The gate of an association is on HMIoU: no other term forbids a pair.

    Args:
        gate: cosine distance at and above which appearance adds nothing to the score of a pair (not published). None =
            as published, appearance counts for all pairs.
        camera: estimates the camera motion; None = static camera.

    Attributes:
        decisions: association of the last update; None before the first.
    """

    _constants: HybridSortConstants
    _sightings: CornerSightings

    def __init__(
        self,
        constants: HybridSortConstants = HybridSortConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self._initialize_appearance(constants, Ema(constants.ema), XysrMotion(), gate=gate, camera=camera)
        self._sightings = CornerSightings(self._tracks.state, constants.delta)
        self._confidences = ConfidenceState()

    def _predict(self) -> None:
        super()._predict()
        self._confidences.predict()

    def _cost_terms(self, seen: Observations) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return OC-SORT's terms, HMIoU, both differences of confidence and, with embeddings, the cosine distance."""
        constants, tracks = self._constants, self._tracks
        terms, _ = super()._cost_terms(seen)
        high, low = np.maximum(constants.high, constants.low), constants.low
        kalman = np.clip(self._confidences.filtered(), high, 1)
        linear = np.clip(self._confidences.extrapolated(), low, high)
        terms[HEIGHT_OVERLAP] = 1 - (1 - terms[OVERLAP]) * height_overlap(tracks.box_ltrb, seen.box_ltrb)
        terms[CONFIDENCE] = np.abs(kalman[:, None] - seen.clipped_confidence)
        terms[LOW_CONFIDENCE] = np.abs(linear[:, None] - seen.clipped_confidence)
        if seen.embeddings is not None:
            terms[APPEARANCE] = self._memory.distances(seen.embeddings)
        limits = {HEIGHT_OVERLAP: 1 - constants.iou}
        return terms, limits if self._gate is None else limits | {APPEARANCE: self._gate}

    def _stages(self, seen: Observations, terms: dict[str, np.ndarray]) -> dict[str, Stage]:
        """Return the association of high-score detections and that of low-score ones."""
        constants, overlap = self._constants, 1 - terms[HEIGHT_OVERLAP]
        passes, high = overlap >= constants.iou, seen.confidence >= constants.high
        stages = {FIRST: Stage(self._first_scores(seen, terms), passes, high)}
        if constants.byte:
            scores = overlap - constants.second_confidence_weight * terms[LOW_CONFIDENCE]
            stages[LOW_SCORE] = Stage(scores, passes, ~high)
        return stages

    def _box_overlap(self, a_ltrb: np.ndarray, b_ltrb: np.ndarray) -> np.ndarray:
        """Return the HMIoU of each box with each box, [num_a, num_b]."""
        return hmiou(a_ltrb, b_ltrb)

    def _first_scores(self, seen: Observations, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return the sum of HMIoU, direction, confidence and appearance, [num_tracks, num_detections]."""
        constants = self._constants
        scores = 1 - terms[HEIGHT_OVERLAP] + constants.inertia * seen.clipped_confidence * (0.5 - terms[DIRECTION])
        scores -= constants.confidence_weight * terms[CONFIDENCE]
        if APPEARANCE in terms:
            scores += constants.appearance_weight * self._similarity(terms[APPEARANCE])
        return scores

    def _update_tracks(self, pairs: Sequence[Pair | StagedPair], seen: Observations) -> np.ndarray:
        """Update the confidences, too; see `OcSort`."""
        rows, columns = split_pairs(pairs)
        self._confidences.update(rows, seen.clipped_confidence[columns])
        track_of_detection = super()._update_tracks(pairs, seen)
        is_new = track_of_detection != NO_TRACK
        is_new[columns] = False
        self._confidences.append(seen.clipped_confidence[is_new])
        return track_of_detection

    def _remember(self, rows: np.ndarray, seen: Observations) -> None:
        """Update the average embeddings by the high-score detections."""
        high = seen.confidence >= self._constants.high
        self._tracks.remember(rows[high], seen[high].embeddings)

    def _keep(self, alive: np.ndarray) -> None:
        super()._keep(alive)
        self._confidences.keep(alive)


def hmiou(a_ltrb: np.ndarray, b_ltrb: np.ndarray) -> np.ndarray:
    """Return the height-modulated IoU of each box with each box, [num_a, num_b]: the IoU times the IoU of heights."""
    return iou_matrix(a_ltrb, b_ltrb) * height_overlap(a_ltrb, b_ltrb)


def height_overlap(a_ltrb: np.ndarray, b_ltrb: np.ndarray) -> np.ndarray:
    """Return the overlap of the vertical extents of two boxes divided by their common extent, [num_a, num_b]."""
    (_, a_top, _, a_bottom), (_, b_top, _, b_bottom) = a_ltrb.T[:, :, None], b_ltrb.T
    shared = np.minimum(a_bottom, b_bottom) - np.maximum(a_top, b_top)
    whole = np.maximum(a_bottom, b_bottom) - np.minimum(a_top, b_top)
    return np.maximum(shared, 0) / np.maximum(whole, 1e-9)
