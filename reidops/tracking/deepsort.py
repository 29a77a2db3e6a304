"""DeepSORT, from Wojke, Bewley and Paulus, "Simple online and realtime tracking with a deep association metric", 2017.

Section, equation and listing numbers are the paper's.
"""

import numpy as np
import supervision as sv

from reidops.tracking.appearance import Gallery, Memory
from reidops.tracking.association import Pair, StagedPair, free_columns, free_rows, match_among, match_cascade, staged
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import CHI2_GATE, DEEPSORT_COSINE_GATE, DeepSortConstants, StrongSortConstants
from reidops.tracking.decisions import APPEARANCE, MOTION, OVERLAP, Decisions
from reidops.tracking.motion import XyahMotion
from reidops.tracking.tracks import NO_TRACK, Observations, Tracks, coasting, observe, output_detections

FIRST, OVERLAPPING, REASSOCIATED = "first", "overlap", "reassociation"
COST = "cost"  # a term of the decisions: the weighted sum of motion and appearance, if the gate bounds this sum


class DeepSort:
    """Kalman motion model, a gallery of embeddings per track, a matching cascade by age, then matching by IoU.

    Without embeddings it is the same tracker without appearance: equation 5 with λ = 1. The motion model, its gate, the
    cascade, the IoU stage and the track management do not change, so the difference between the two measures the effect
    of appearance.

    Args:
        gate: largest cosine distance; None = the published value.
        camera: estimates the camera motion; None = static camera, as published.

    Attributes:
        decisions: association of the last update; None before the first.
    """

    def __init__(
        self,
        constants: DeepSortConstants = DeepSortConstants(),
        gate: float | None = None,
        camera: CameraMotion | None = None,
    ) -> None:
        self._initialize(constants, Gallery(constants.budget), DEEPSORT_COSINE_GATE if gate is None else gate, camera)
        self._motion_weight = constants.motion_weight  # λ of equation 5

    def _initialize(
        self,
        constants: DeepSortConstants | StrongSortConstants,
        memory: Memory,
        gate: float,
        camera: CameraMotion | None,
    ) -> None:
        self.decisions: Decisions | None = None
        self._constants = constants
        self._gate = gate
        self._memory = memory
        self._camera = camera
        self._tracks = Tracks(XyahMotion(), memory)
        self._num_frames = 0
        self._last = sv.Detections.empty()  # output of the previous frame

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of confirmed tracks in one frame, with `tracker_id` set; see `Tracker`."""
        seen = self._observe(detections, embeddings)
        self._predict(frame)
        self.decisions = self._compute_decisions(seen)
        track_of_detection = self._correct(seen, self.decisions.pairs)
        tracks, constants = self._tracks, self._constants
        ids = tracks.ids_of(track_of_detection)
        boxes = tracks.reported_boxes(track_of_detection, constants.boxes)
        result = output_detections(detections, seen, ids, boxes)
        tracks.keep(tracks.age <= np.where(tracks.confirmed, constants.max_age, 0))
        coasted = coasting(self._last, tracks, constants.coast)
        self._last = sv.Detections.merge([result, coasted]) if len(coasted) else result
        return self._last

    # StrongSORT overrides these four methods and `_first_pairs`.

    @property
    def _gates_cost(self) -> bool:
        """Return True if the gate bounds the cost of equation 5, False if it bounds the appearance distance only."""
        return False

    def _observe(self, detections: sv.Detections, embeddings: np.ndarray | None) -> Observations:
        """Return the detections that the tracker uses."""
        return observe(detections, embeddings)

    def _confidence(self, seen: Observations) -> np.ndarray | None:
        """Return the confidence that scales the measurement noise, as in `BoxMotion.correct`; None = the same noise for
        all.
        """
        return None

    def _predict(self, frame: np.ndarray | None) -> None:
        self._num_frames += 1
        self._tracks.predict()
        if self._camera is not None:
            self._tracks.warp(self._camera.affine(self._num_frames, frame))

    def _compute_decisions(self, seen: Observations) -> Decisions:
        """Compute the cost terms and match tracks with detections."""
        tracks, constants = self._tracks, self._constants
        terms = {
            OVERLAP: 1 - tracks.overlaps(seen),
            MOTION: tracks.motion.gate_distances(tracks.state, seen.box_ltwh),
        }
        if seen.embeddings is not None:
            terms[APPEARANCE] = self._memory.distances(seen.embeddings)
            if self._gates_cost:
                terms[COST] = self._costs(terms[MOTION], terms[APPEARANCE])
        gated = COST if self._gates_cost else APPEARANCE
        gates = {OVERLAP: constants.iou_gate, MOTION: constants.motion_gate, gated: self._gate}
        limits = {name: limit for name, limit in gates.items() if name in terms and limit is not None}
        return Decisions(tracks.ids, seen.rows, terms, limits, tuple(self._associate(terms)))

    def _associate(self, terms: dict[str, np.ndarray]) -> list[StagedPair]:
        """Match by the cascade (listing 1), then by IoU, then by the reassociation, which is not published."""
        costs, limit = self._first_costs(terms[MOTION], terms.get(APPEARANCE))
        pairs = staged(self._first_pairs(costs, limit), FIRST)
        recent = [row for row in free_rows(costs, pairs) if self._tracks.age[row] == 1]
        second = match_among(terms[OVERLAP], self._constants.iou_gate, recent, free_columns(costs, pairs))
        pairs += staged(second, OVERLAPPING)
        return pairs + staged(self._reassociate(terms.get(APPEARANCE), pairs), REASSOCIATED)

    def _first_pairs(self, costs: np.ndarray, limit: float) -> list[Pair]:
        """Match the confirmed tracks in increasing order of their age (listing 1)."""
        confirmed = np.flatnonzero(self._tracks.confirmed)
        return match_cascade(costs, limit, confirmed, self._tracks.age[confirmed])

    def _first_costs(self, motion: np.ndarray, appearance: np.ndarray | None) -> tuple[np.ndarray, float]:
        """Return the cost of equation 5, gated by equation 6, [num_tracks, num_detections], and the largest cost of a
        pair.
        """
        motion_gate = self._constants.motion_gate
        if appearance is None:
            return motion, motion_gate or CHI2_GATE
        weight, costs = self._motion_weight, self._costs(motion, appearance)
        costs = np.where(motion > (motion_gate or np.inf), np.inf, costs)
        if self._gates_cost:
            return costs, self._gate
        return np.where(appearance > self._gate, np.inf, costs), weight * (motion_gate or CHI2_GATE) + (
            1 - weight
        ) * self._gate

    def _costs(self, motion: np.ndarray, appearance: np.ndarray) -> np.ndarray:
        """Return the cost of equation 5, [num_tracks, num_detections]."""
        return self._motion_weight * motion + (1 - self._motion_weight) * appearance

    def _reassociate(self, appearance: np.ndarray | None, pairs: list[StagedPair]) -> list[Pair]:
        """Match lost tracks that both stages left unmatched by appearance alone, without a motion gate; not in the
        paper.
        """
        limit = self._constants.reassociate * self._gate
        if appearance is None or limit == 0:
            return []
        confirmed, age = self._tracks.confirmed, self._tracks.age
        lost = [row for row in free_rows(appearance, pairs) if confirmed[row] and age[row] > 1]
        return match_among(appearance, limit, lost, free_columns(appearance, pairs))

    def _correct(self, seen: Observations, pairs: tuple[StagedPair, ...]) -> np.ndarray:
        """Update, start and confirm tracks; return the track row of each detection."""
        tracks = self._tracks
        track_of_detection = tracks.update(pairs, seen, self._confidence(seen))
        columns = [column for _, column, _ in pairs]
        if seen.embeddings is not None:
            tracks.remember(track_of_detection[columns], seen.embeddings[columns])
        free = np.flatnonzero(track_of_detection == NO_TRACK)
        track_of_detection[free] = tracks.start(seen, free)
        in_order = track_of_detection[np.concatenate([columns, free]).astype(int)]
        tracks.confirm(in_order[tracks.hits[in_order] >= self._constants.n_init])
        return track_of_detection
