"""DeepSORT, from Wojke, Bewley and Paulus, "Simple online and realtime tracking with a deep association metric", 2017.

Section, equation and listing numbers are the paper's.
"""

import numpy as np
import supervision as sv

from reidops.mot.boxes import iou_matrix, ltwh_to_ltrb
from reidops.tracking.appearance import Gallery, appearance_distances
from reidops.tracking.association import Pair, free_columns, free_rows, match_among, match_cascade
from reidops.tracking.constants import CHI2_GATE, DEEPSORT_COSINE_GATE, DeepSortConstants
from reidops.tracking.motion import State, XyahMotion, stack
from reidops.tracking.tracks import Observations, Track, observe, shown


class DeepSort:
    """Kalman motion, a gallery of embeddings for each track, a cascade by age, then overlap.

    Called without embeddings it is the same tracker without appearance: equation 5 with λ = 1. Motion, its gate, the cascade, the
    overlap stage and the life of a track stay, so that what differs between the two is what appearance is worth.
    """

    def __init__(self, cosine_gate: float = DEEPSORT_COSINE_GATE, constants: DeepSortConstants = DeepSortConstants()) -> None:
        self._cosine_gate = cosine_gate
        self._constants = constants
        self._motion = XyahMotion()
        self._tracks: list[Track] = []
        self._num_confirmed = 0

    def update(
        self, detections: sv.Detections, embeddings: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> sv.Detections:
        """Return the detections of one frame that belong to confirmed tracks, with `tracker_id` set; see `Tracker`."""
        seen = observe(detections, embeddings)
        self._predict()
        pairs = self._associate(seen)
        self._correct(pairs, seen)
        owners = {column: self._tracks[row] for row, column in pairs}
        owners |= {column: self._start(seen, column) for column in range(len(seen)) if column not in owners}
        for track in owners.values():
            self._confirm(track)
        self._tracks = [track for track in self._tracks if self._is_alive(track)]
        return shown(detections, {int(seen.rows[column]): track for column, track in owners.items()})

    def _predict(self) -> None:
        for track, state in zip(self._tracks, self._motion.predict(self._state()).split(), strict=True):
            track.state = state
            track.age += 1

    def _associate(self, seen: Observations) -> list[Pair]:
        """Return which track (row of the list) is which detection (column of `seen`): listing 1, then overlap, then ours."""
        if not (self._tracks and len(seen)):
            return []
        appearance = None if seen.embeddings is None else appearance_distances([t.gallery for t in self._tracks], seen.embeddings)
        costs, limit = self._first_costs(seen, appearance)
        confirmed = [row for row, track in enumerate(self._tracks) if track.confirmed]
        pairs = match_cascade(costs, limit, confirmed, [self._tracks[row].age for row in confirmed])
        recent = [row for row in free_rows(costs, pairs) if self._tracks[row].age == 1]
        pairs += match_among(self._overlap_costs(seen), self._constants.iou_gate, recent, free_columns(costs, pairs))
        return pairs + self._reassociate(appearance, pairs)

    def _first_costs(self, seen: Observations, appearance: np.ndarray | None) -> tuple[np.ndarray, float]:
        """Return equation 5, gated by equation 6, [num_tracks, num_detections], and the most that a pair may cost."""
        motion = self._motion.gate_distances(self._state(), seen.box_ltwh)
        motion_gate = self._constants.motion_gate
        if appearance is None:
            return motion, motion_gate or CHI2_GATE
        weight = self._constants.motion_weight
        costs = weight * motion + (1 - weight) * appearance
        blocked = (appearance > self._cosine_gate) | (motion > (motion_gate or np.inf))
        return np.where(blocked, np.inf, costs), weight * (motion_gate or CHI2_GATE) + (1 - weight) * self._cosine_gate

    def _overlap_costs(self, seen: Observations) -> np.ndarray:
        boxes = ltwh_to_ltrb(self._motion.boxes(self._state()))
        return 1 - iou_matrix(boxes, ltwh_to_ltrb(seen.box_ltwh))

    def _reassociate(self, appearance: np.ndarray | None, pairs: list[Pair]) -> list[Pair]:
        """Match unseen tracks that both stages left by appearance alone, wherever they come back; not in the paper."""
        limit = self._constants.reassociate * self._cosine_gate
        if appearance is None or limit == 0:
            return []
        lost = [row for row in free_rows(appearance, pairs) if self._tracks[row].confirmed and self._tracks[row].age > 1]
        return match_among(appearance, limit, lost, free_columns(appearance, pairs))

    def _correct(self, pairs: list[Pair], seen: Observations) -> None:
        rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
        corrected = self._motion.correct(self._state()[rows], seen.box_ltwh[columns]).split()
        for row, column, state in zip(rows, columns, corrected, strict=True):
            track = self._tracks[row]
            track.state = state
            track.hits += 1
            track.age = 0
            _remember(track, seen, column)

    def _start(self, seen: Observations, column: int) -> Track:
        track = Track(self._motion.start(seen.box_ltwh[[column]]), Gallery(self._constants.budget))
        _remember(track, seen, column)
        self._tracks.append(track)
        return track

    def _confirm(self, track: Track) -> None:
        if not track.confirmed and track.hits >= self._constants.n_init:
            self._num_confirmed += 1
            track.track_id = self._num_confirmed

    def _is_alive(self, track: Track) -> bool:
        return track.age <= (self._constants.max_age if track.confirmed else 0)

    def _state(self) -> State:
        return stack([track.state for track in self._tracks])


def _remember(track: Track, seen: Observations, column: int) -> None:
    if seen.embeddings is not None:
        track.gallery.add(seen.embeddings[column])
