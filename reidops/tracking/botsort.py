"""BoT-SORT with ReID, from Aharon, Orfaig and Bobrovsky, "BoT-SORT: Robust associations multi-pedestrian tracking",
2022.

Section and equation numbers are the paper's.
"""

from typing import ClassVar

import numpy as np
import supervision as sv

from reidops.tracking.appearance import Ema
from reidops.tracking.bytetrack import SCORED_OVERLAP, ByteTrack
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import BotSortConstants
from reidops.tracking.decisions import APPEARANCE, OVERLAP
from reidops.tracking.motion import BoxMotion
from reidops.tracking.motion_xywh import XywhMotion
from reidops.tracking.tracks import Observations, observe

# a term of the decisions: 1 − IoU of the high-score detections; appearance is ignored above its gate
PROXIMITY = "proximity"


class BotSort(ByteTrack):
    """ByteTrack with a motion model over width and height (3.1), camera motion (3.2), and appearance in addition to IoU
    (3.3).

    As published, appearance counts only if track and detection have an IoU of at least one half (`proximity`). It then
    separates overlapping people, but does not recover lost tracks whose person moved on. Without this gate
    (`proximity=None`, not published) appearance recovers lost tracks at any position. Without embeddings it is the same
    tracker without appearance.

    Args:
        gate: largest half of a cosine distance; None = the published value.
        camera: estimates the camera motion; None = static camera.

    Attributes:
        decisions: association of the last update; None before the first. Its `appearance` is half the cosine distance.
    """

    motion: ClassVar[BoxMotion] = XywhMotion()

    def __init__(
        self,
        constants: BotSortConstants = BotSortConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self._memory = Ema(constants.ema)
        self._initialize(constants, self._memory)
        self._proximity = constants.proximity
        self._gate = constants.gate if gate is None else gate
        self._camera = camera

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of confirmed tracks in one frame, with `tracker_id` set; see `Tracker`."""
        return self._track_frame(detections, observe(detections, embeddings), frame)

    def _predict(self, frame: np.ndarray | None) -> None:
        super()._predict(frame)
        if self._camera is not None:
            self._tracks.warp(self._camera.affine(self._num_frames, frame))

    def _cost_terms(self, seen: Observations) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Add half the cosine distance of high-score detections to ByteTrack's terms; NaN for pairs outside the
        proximity gate.
        """
        terms, limits = super()._cost_terms(seen)
        if seen.embeddings is None:
            return terms, limits
        asked = np.broadcast_to(self._is_high_score(seen), terms[OVERLAP].shape)
        if self._proximity is not None:
            terms[PROXIMITY], limits[PROXIMITY] = np.where(asked, terms[OVERLAP], np.nan), self._proximity
            asked = asked & (terms[OVERLAP] <= self._proximity)
        terms[APPEARANCE] = np.where(asked, self._memory.distances(seen.embeddings) / 2, np.nan)
        return terms, limits | {APPEARANCE: self._gate}

    def _costs(self, terms: dict[str, np.ndarray]) -> np.ndarray:
        """Return the minimum of overlap and appearance costs; appearance counts within both gates only (equations 12
        and 13).
        """
        if APPEARANCE not in terms:
            return terms[SCORED_OVERLAP]
        appearance = np.where(terms[APPEARANCE] <= self._gate, terms[APPEARANCE], np.inf)
        return np.minimum(terms[SCORED_OVERLAP], appearance)
