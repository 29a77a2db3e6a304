"""StrongSORT, from Du, Zhao, Song, Zhao, Su, Gong and Meng, "StrongSORT: Make DeepSORT great again", 2023.

Section and equation numbers are the paper's. `linking.py` and `interpolation.py` implement its two post-processing
steps.
"""

import numpy as np
import supervision as sv

from reidops.tracking.appearance import Ema
from reidops.tracking.association import Pair, match_among
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import StrongSortConstants
from reidops.tracking.deepsort import DeepSort
from reidops.tracking.tracks import Observations, observe


class StrongSort(DeepSort):
    """DeepSORT with the changes of section 3.2, one per method below; the IoU stage and the track management are
    DeepSORT's.

    It keeps a moving average instead of a gallery and uses confident detections only. Their confidence scales the
    measurement noise (NSA Kalman). The cost includes motion. One assignment of all confirmed tracks replaces the
    cascade. Camera motion is compensated if `camera` is given. The gate bounds the whole cost, as in the published
    code, or the appearance distance alone (`gate_on`).

    Without embeddings it is the same tracker without appearance: equation 6 with λ = 0.
    """

    _constants: StrongSortConstants

    def __init__(
        self,
        constants: StrongSortConstants = StrongSortConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self._initialize(constants, Ema(constants.ema), constants.gate if gate is None else gate, camera)
        self._motion_weight = 1 - constants.appearance_weight

    def _observe(self, detections: sv.Detections, embeddings: np.ndarray | None) -> Observations:
        seen = observe(detections, embeddings)
        return seen[seen.confidence >= self._constants.high]

    def _first_pairs(self, costs: np.ndarray, limit: float) -> list[Pair]:
        """Match all confirmed tracks in one assignment ("vanilla matching")."""
        return match_among(costs, limit, np.flatnonzero(self._tracks.confirmed), range(costs.shape[1]))

    @property
    def _gates_cost(self) -> bool:
        return self._constants.gate_on == "cost"

    def _confidence(self, seen: Observations) -> np.ndarray | None:
        if not self._constants.nsa:
            return None
        confidence = np.clip(seen.confidence, 0, 1)
        # `correct` multiplies the noise variance by 1 minus this value. 1 − c (2 − c) = (1 − c)² scales the standard
        # deviation by 1 − c.
        return confidence * (2 - confidence) if self._constants.as_coded else confidence

    def _predict(self, frame: np.ndarray | None) -> None:
        if self._camera is None or not self._constants.as_coded:
            super()._predict(frame)
            return
        self._num_frames += 1
        self._tracks.warp_boxes(self._camera.affine(self._num_frames, frame))
        self._tracks.predict()
