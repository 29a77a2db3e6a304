"""Deep OC-SORT, from Maggiolino, Ahmad, Cao and Kitani, "Deep OC-SORT: multi-pedestrian tracking by adaptive
re-identification", 2023.

Its three parts: camera motion compensation, dynamic appearance, adaptive weighting.
"""

import numpy as np

from reidops.tracking.appearance import Ema
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import DeepOcSortConstants
from reidops.tracking.decisions import APPEARANCE, OVERLAP
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.motion_xywh import XywhMotion
from reidops.tracking.ocsort_appearance import OcSortWithAppearance
from reidops.tracking.tracks import Observations


class DeepOcSort(OcSortWithAppearance):
    """OC-SORT with camera motion compensation and appearance, whose weight depends on how distinctive the best match
    is.

    Without embeddings and with `filter: xysr` it is OC-SORT with camera motion. Appearance adds to the score of the
    first association only. The gate of that association is on the IoU: appearance neither recovers a track without
    overlap nor forbids a pair.

    Args:
        gate: cosine distance at and above which appearance adds nothing to the score of a pair (not published): IoU and
            direction decide, as without embeddings. None = as published, appearance counts for all pairs.
        camera: estimates the camera motion; None = static camera.

    Attributes:
        decisions: association of the last update; None before the first. Its `appearance` is NaN if the IoU alone fixes
            the assignment.
    """

    _constants: DeepOcSortConstants

    def __init__(
        self,
        constants: DeepOcSortConstants = DeepOcSortConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        motion = XywhMotion() if constants.filter == "xywh" else XysrMotion()
        self._initialize_appearance(constants, Ema(constants.alpha), motion, gate=gate, camera=camera)

    def _predict(self) -> None:
        """Predict all tracks; with the motion model over width and height lost tracks keep their size."""
        self._tracks.predict(keeps_size=self._tracks.age > 0 if self._constants.filter == "xywh" else None)

    def _cost_terms(self, seen: Observations) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Add the cosine distance to the terms; `as_coded`, it is left out of frames in which the IoU alone fixes the
        assignment.
        """
        terms, limits = super()._cost_terms(seen)
        if seen.embeddings is None:
            return terms, limits
        overlapping = (terms[OVERLAP] <= limits[OVERLAP]) & (seen.confidence >= self._constants.high)
        is_unambiguous = self._constants.as_coded and leaves_no_choice(overlapping)
        terms[APPEARANCE] = np.where(is_unambiguous, np.nan, self._memory.distances(seen.embeddings))
        return terms, limits if self._gate is None else limits | {APPEARANCE: self._gate}

    def _first_scores(self, seen: Observations, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return the sum of IoU, direction and weighted cosine similarity (adaptive weighting).

        `as_coded`, the similarity of a pair without overlap is 0.
        """
        scores = super()._first_scores(seen, terms)
        if APPEARANCE not in terms:
            return scores
        high = seen.confidence >= self._constants.high
        similarity = self._similarity(terms[APPEARANCE])
        if self._constants.as_coded:
            similarity = np.where(terms[OVERLAP] < 1, similarity, 0)
        weights = np.full_like(similarity, self._constants.appearance_weight)
        weights[:, high] = self._weights(similarity[:, high])
        return scores + weights * similarity

    def _weights(self, similarity: np.ndarray) -> np.ndarray:
        """Return the weight of each pair's similarity, [num_tracks, num_detections]."""
        weight, clearest = self._constants.appearance_weight, self._constants.clearest
        return (
            weight * published_weight_factor(similarity, clearest)
            if self._constants.as_coded
            else weight + match_margin(similarity, clearest)
        )

    def _remember(self, rows: np.ndarray, seen: Observations) -> None:
        """Update the average embeddings, weighted by confidence; weight 0 for a detection at the threshold (dynamic
        appearance).
        """
        alpha, least = self._constants.alpha, self._constants.high
        trust = np.clip((seen.confidence - least) / max(1 - least, 1e-6), 0, 1)
        self._tracks.remember(rows, seen.embeddings, alphas=alpha + (1 - alpha) * (1 - trust))


def leaves_no_choice(overlapping: np.ndarray) -> bool:
    """Return True if each track overlaps at most one detection and each detection at most one track.

    Args:
        overlapping: mask [num_tracks, num_detections].
    """
    return all(overlapping.sum(axis=axis).max(initial=0) <= 1 for axis in (0, 1))


def match_margin(similarity: np.ndarray, most: float) -> np.ndarray:
    """Return the margin of the best match of each track and of each detection, [num_tracks, num_detections] (adaptive
    weighting).

    It is the mean of two margins, best − second best, each at most `most`. The margin is 0 if there is no second
    candidate.
    """
    return (_margins(similarity, most)[:, None] + _margins(similarity.T, most)[None, :]) / 2


def published_weight_factor(similarity: np.ndarray, ratio: float) -> np.ndarray:
    """Return the factor of the weight in the published code, [num_tracks, num_detections] in 0 … 1.

    It is the product of a factor of the track and one of the detection. A factor is 1 if the second best is at most
    `ratio` times the best or if there is no second candidate. It decreases linearly to 0 as the second best approaches
    the best. It is 0 if the best is not positive.
    """
    return _distinctness(similarity, ratio)[:, None] * _distinctness(similarity.T, ratio)[None, :]


def _distinctness(similarity: np.ndarray, ratio: float) -> np.ndarray:
    """Return the factor of each row, [num_rows]."""
    if similarity.shape[1] < 2:
        return np.ones(len(similarity))
    second, best = np.partition(similarity, -2, axis=1)[:, -2:].T
    excess = second / np.where(best > 0, best, 1) - ratio
    return np.where(best > 0, 1 - np.clip(excess / max(1 - ratio, 1e-6), 0, 1), 0)


def _margins(similarity: np.ndarray, most: float) -> np.ndarray:
    """Return best − second best of each row, at most `most`, [num_rows]."""
    if similarity.shape[1] < 2:
        return np.zeros(len(similarity))
    second, best = np.partition(similarity, -2, axis=1)[:, -2:].T
    return np.minimum(best - second, most)
