"""Deep OC-SORT, from Maggiolino, Ahmad, Cao and Kitani, "Deep OC-SORT: multi-pedestrian tracking by adaptive re-identification", 2023.

Its three parts: camera motion compensation, dynamic appearance, adaptive weighting.
"""

import numpy as np
import supervision as sv

from reidops.tracking.appearance import FARTHEST, Ema
from reidops.tracking.camera_motion import CameraMotion, identity
from reidops.tracking.constants import DeepOcSortConstants
from reidops.tracking.decisions import APPEARANCE, OVERLAP
from reidops.tracking.motion_xysr import XysrMotion
from reidops.tracking.motion_xywh import XywhMotion
from reidops.tracking.ocsort import OcSort
from reidops.tracking.tracks import Observations, observe


class DeepOcSort(OcSort):
    """OC-SORT that knows how the camera moved and what its tracks look like, and goes by that the more the clearer it is.

    Called without embeddings and with `filter: xysr` it is OC-SORT with camera motion. Appearance only weighs, and in the first
    association alone: the threshold is on the IoU, so that a person who no longer overlaps is not brought back by appearance, and a
    stranger is not kept away by it.

    Args:
        gate: cosine distance from which on looks do not speak for a pair (ours): overlap and direction decide, as without
            embeddings. None = as published: all pairs are weighed.
        camera: tells how the camera moved; None = it stands still.

    Attributes:
        decisions: of the last update, None before the first; its `appearance` is NaN where overlap left no choice.
    """

    def __init__(
        self, constants: DeepOcSortConstants = DeepOcSortConstants(), gate: float | None = None, camera: CameraMotion | None = None
    ) -> None:
        self._begin(constants, Ema(constants.alpha), XywhMotion() if constants.filter == "xywh" else XysrMotion())
        self._gate = constants.gate if gate is None else gate
        self._camera = camera

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of one frame that belong to tracks seen long enough, with `tracker_id` set; see `Tracker`."""
        seen = observe(detections, embeddings)
        if self._camera is not None:
            self._move(self._camera.affine(self._num_frames + 1, frame))
        return self._follow(detections, seen)

    def _move(self, affine: np.ndarray) -> None:
        """Take tracks and their sightings to where they are in this frame's picture."""
        if not np.array_equal(affine, identity()):
            self._tracks.warp(affine)
            self._sightings.warp(self._tracks.motion, affine)

    def _predict(self) -> None:
        """Carry all tracks one frame on; with the filter over width and height those that were not seen keep their size."""
        self._tracks.predict(keeps_size=self._tracks.age > 0 if self._constants.filter == "xywh" else None)

    def _weigh(self, seen: Observations) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Add the cosine distance to the terms; as published, it is not weighed in a frame in which overlap leaves no choice."""
        terms, limits = super()._weigh(seen)
        if seen.embeddings is None:
            return terms, limits
        overlapping = (terms[OVERLAP] <= limits[OVERLAP]) & (seen.confidence >= self._constants.high)
        unasked = self._constants.as_coded and leaves_no_choice(overlapping)
        terms[APPEARANCE] = np.where(unasked, np.nan, self._tracks.memory.distances(seen.embeddings))
        return terms, limits if self._gate is None else limits | {APPEARANCE: self._gate}

    def _first_scores(self, seen: Observations, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return IoU, direction and likeness as a score; the likeness weighs the more the clearer it is (adaptive weighting).

        `as_coded`, the likeness of a pair that does not overlap counts as 0.
        """
        scores = super()._first_scores(seen, terms)
        if APPEARANCE not in terms:
            return scores
        sure = seen.confidence >= self._constants.high
        likeness = self._likeness(terms[APPEARANCE])
        if self._constants.as_coded:
            likeness = np.where(terms[OVERLAP] < 1, likeness, 0)
        weights = np.full_like(likeness, self._constants.appearance_weight)
        weights[:, sure] = self._weights(likeness[:, sure])
        return scores + weights * likeness

    def _weights(self, likeness: np.ndarray) -> np.ndarray:
        """Return the weight of each pair's likeness, [num_tracks, num_detections]."""
        weight, clearest = self._constants.appearance_weight, self._constants.clearest
        return weight * standing_out(likeness, clearest) if self._constants.as_coded else weight + clearness(likeness, clearest)

    def _likeness(self, distances: np.ndarray) -> np.ndarray:
        """Return how like each pair is, 1 = the same; 0 = looks say nothing: nobody asked, there is no embedding, or a gate is reached.

        As published it is the cosine. With a gate it falls evenly to 0 at the gate: a step there would let a hair's breadth decide.
        """
        if self._gate is None:
            return np.where(distances < FARTHEST, 1 - distances, 0)
        return np.fmax(self._gate - distances, 0) / max(self._gate, 1e-6)

    def _remember(self, rows: np.ndarray, seen: Observations) -> None:
        """Let each detection change its track's looks by how sure it is: one at the threshold not at all (dynamic appearance)."""
        alpha, least = self._constants.alpha, self._constants.high
        trust = np.clip((seen.confidence - least) / max(1 - least, 1e-6), 0, 1)
        self._tracks.remember(rows, seen.embeddings, alphas=alpha + (1 - alpha) * (1 - trust))


def leaves_no_choice(overlapping: np.ndarray) -> bool:
    """Tell whether each track overlaps at most one detection and each detection one track at most, mask [num_tracks, num_detections]."""
    return all(overlapping.sum(axis=axis).max(initial=0) <= 1 for axis in (0, 1))


def clearness(likeness: np.ndarray, most: float) -> np.ndarray:
    """Return by how much the best match of each track and of each detection stands out, [num_tracks, num_detections] (adaptive weighting).

    It is the mean of the two leads, best − second best, each at most `most`; where there is no second there is no lead.
    """
    return (_leads(likeness, most)[:, None] + _leads(likeness.T, most)[None, :]) / 2


def standing_out(likeness: np.ndarray, ratio: float) -> np.ndarray:
    """Return the factor of the weight in the published code, [num_tracks, num_detections] in 0 … 1.

    It is the product of one factor of the track and one of the detection. Each is 1 where the second best is at most `ratio` times the
    best, or where there is no second, and falls evenly to 0 where the two are equal; it is 0 where the best is not above 0.
    """
    return _unmistakable(likeness, ratio)[:, None] * _unmistakable(likeness.T, ratio)[None, :]


def _unmistakable(likeness: np.ndarray, ratio: float) -> np.ndarray:
    """Return the factor of each row, [num_rows]."""
    if likeness.shape[1] < 2:
        return np.ones(len(likeness))
    second, best = np.partition(likeness, -2, axis=1)[:, -2:].T
    excess = second / np.where(best > 0, best, 1) - ratio
    return np.where(best > 0, 1 - np.clip(excess / max(1 - ratio, 1e-6), 0, 1), 0)


def _leads(likeness: np.ndarray, most: float) -> np.ndarray:
    """Return best − second best of each row, at most `most`, [num_rows]."""
    if likeness.shape[1] < 2:
        return np.zeros(len(likeness))
    second, best = np.partition(likeness, -2, axis=1)[:, -2:].T
    return np.minimum(best - second, most)
