"""OC-SORT with a mean embedding per track and camera motion: what Deep OC-SORT and Hybrid-SORT share."""

import numpy as np
import supervision as sv

from reidops.tracking.appearance import FARTHEST, Ema
from reidops.tracking.camera_motion import CameraMotion, identity
from reidops.tracking.constants import DeepOcSortConstants, HybridSortConstants
from reidops.tracking.motion import BoxMotion
from reidops.tracking.ocsort import OcSort
from reidops.tracking.tracks import observe


class OcSortWithAppearance(OcSort):
    """OC-SORT whose subclasses add the similarity of embeddings to the score of a pair."""

    def _initialize_appearance(
        self,
        constants: DeepOcSortConstants | HybridSortConstants,
        memory: Ema,
        motion: BoxMotion,
        *,
        gate: float | None,
        camera: CameraMotion | None,
    ) -> None:
        self._memory = memory
        self._initialize(constants, memory, motion)
        self._gate = constants.gate if gate is None else gate
        self._camera = camera

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of tracks with enough consecutive matches, with `tracker_id` set; see `Tracker`."""
        seen = observe(detections, embeddings)
        if self._camera is not None:
            self._move(self._camera.affine(self._num_frames + 1, frame))
        return self._track_frame(detections, seen)

    def _move(self, affine: np.ndarray) -> None:
        """Apply camera motion to the tracks and their observations."""
        if not np.array_equal(affine, identity()):
            self._tracks.warp(affine)
            self._sightings.warp(self._tracks.motion, affine)

    def _similarity(self, distances: np.ndarray) -> np.ndarray:
        """Return the similarity of each pair; 0 = not compared, no embedding, or a distance at or above the gate.

        As published, it is the cosine similarity. With a gate it decreases linearly to 0 at the gate, which avoids a
        discontinuity there.
        """
        if self._gate is None:
            return np.where(distances < FARTHEST, 1 - distances, 0)
        return np.fmax(self._gate - distances, 0) / max(self._gate, 1e-6)
