"""The evidence tracker, described in docs/evidence.md; it is this project's own.

Each pair of track and detection has the log odds that both are one person, a sum of three terms:

    presence    how likely the person is detected now, against a person who has just come
    motion      density of the box given the track, over its density given anyone
    appearance  ratio of the densities of the cosine distance, from the calibration of the model

Pairs with odds above 1 are assigned so that their sum is largest. Times are in seconds.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import supervision as sv

from reidops.errors import ReidopsError
from reidops.tracking.appearance import Ema
from reidops.tracking.association import match, staged
from reidops.tracking.camera_motion import CameraMotion
from reidops.tracking.constants import EvidenceConstants, Gate
from reidops.tracking.decisions import APPEARANCE, MOTION, OVERLAP, Decisions
from reidops.tracking.likelihood import LikelihoodTable, linear_rows, read_table
from reidops.tracking.motion_decaying import DecayingMotion
from reidops.tracking.passers_by import PassersBy
from reidops.tracking.presence import NUM_STATES, VISIBLE, PresenceChain
from reidops.tracking.returns import Returns
from reidops.tracking.tracks import NO_TRACK, Observations, Tracks, observe, output_detections

ASSIGNED = "evidence"
# A further term of the decisions: the negative log odds of a pair; a pair passes below 0.
AGAINST = "evidence against"
SHORTEST = 1e-3  # s; the least time between two frames, if the time stamps do not increase
# columns of the tracks
_PRESENCE, _LOST, _NUMBER, _SAMPLES = "presence", "lost", "number", "samples"
_PAIRS_AT_ONCE = 1_000_000


class EvidenceTracker:
    """Track people by the sum of the evidence of presence, motion and appearance.

    Without embeddings it is the same tracker without the third term.

    Args:
        gate: the likelihood table of the model, from its calibration; or the cosine distance that says nothing, for a
            table that falls linearly; None = such a table for the distances of a network that is not calibrated.
        camera: estimates the camera motion; None = static camera.
        frame_rate: frames per second, where the frames have no time stamps.

    Attributes:
        decisions: association of the last update; None before the first.
    """

    def __init__(
        self,
        constants: EvidenceConstants = EvidenceConstants(),
        gate: Gate | None = None,
        camera: CameraMotion | None = None,
        frame_rate: float = 30.0,
    ) -> None:
        if not (np.isfinite(frame_rate) and frame_rate > 0):
            raise ReidopsError(f"frame_rate is {frame_rate}; expected frames per second above 0")
        self.decisions: Decisions | None = None
        self._constants = c = constants
        self._table = _table(gate, constants)
        self._camera = camera
        self._interval = 1 / frame_rate
        self._now, self._seconds, self._num_frames, self._num_started = 0.0, self._interval, 0, 0
        self._timestamp: float | None = None
        self._chain = PresenceChain(c.hide, c.back, c.leave, c.detect)
        self._anyone = PassersBy()
        self._returns = Returns(c.identify)
        motion = DecayingMotion(
            self._interval,
            (c.speed_x, c.speed_y),
            c.decay,
            c.aspect_change,
            c.height_change,
            (c.noise_x, c.noise_y, c.noise_aspect, c.noise_height),
        )
        columns = {_PRESENCE: (NUM_STATES,), _LOST: (), _NUMBER: (), _SAMPLES: ()}
        self._motion = motion
        self._memory = Ema()
        self._tracks = Tracks(motion, self._memory, columns)

    def update(
        self,
        detections: sv.Detections,
        embeddings: np.ndarray | None = None,
        frame: np.ndarray | None = None,
        timestamp: float | None = None,
    ) -> sv.Detections:
        """Return the detections of confirmed tracks in one frame, with `tracker_id` set; see `Tracker`.

        Args:
            timestamp: time of the frame, s, from any origin. None = one frame interval after the previous frame. If it
                goes back, as of a stream that starts again, one frame interval is taken.

        Raises:
            ReidopsError: as `Tracker.update`, or the time is not finite.
        """
        seen = observe(detections, embeddings)
        self._predict(timestamp, frame)
        measured = self._motion.measure(seen.box_ltwh)
        self._anyone.add(measured, seen.box_ltrb)
        certainty = 1 - self._constants.occlusion * covered_shares(seen.box_ltrb)
        evidence, self.decisions = self._compute_decisions(seen, measured, certainty)
        track_of_detection = self._update_tracks(seen, certainty, evidence)
        ids = self._tracks.ids_of(track_of_detection)
        self._remove_tracks()
        return output_detections(detections, seen, ids)

    def _predict(self, timestamp: float | None, frame: np.ndarray | None) -> None:
        """Move all tracks to the time of the frame."""
        self._num_frames += 1
        self._seconds = self._elapsed(timestamp)
        self._now += self._seconds
        tracks = self._tracks
        tracks.motion = replace(self._motion, seconds=self._seconds)
        tracks.predict()
        tracks[_PRESENCE][:] = self._chain.predict(tracks[_PRESENCE], self._seconds)
        tracks[_LOST][:] += self._seconds
        if self._camera is not None:
            tracks.warp(self._camera.affine(self._num_frames, frame))

    def _elapsed(self, timestamp: float | None) -> float:
        if timestamp is None:
            return self._interval
        if not np.isfinite(timestamp):
            raise ReidopsError(f"the time stamp of frame {self._num_frames} is {timestamp}; expected seconds")
        last, self._timestamp = self._timestamp, float(timestamp)
        if last is None or timestamp < last:
            return self._interval
        return max(timestamp - last, SHORTEST)

    def _compute_decisions(
        self, seen: Observations, measured: np.ndarray, certainty: np.ndarray
    ) -> tuple[np.ndarray, Decisions]:
        """Return the evidence of presence and motion, [num_tracks, num_detections], and the association.

        Args:
            measured: see `DecayingMotion.measure`, [num_detections, 4].
            certainty: weight of the appearance of each box, [num_detections].
        """
        tracks, c = self._tracks, self._constants
        overlap = tracks.overlaps(seen)
        distances, densities = self._motion.log_densities(tracks.state, measured, c.freedom)
        arrivals = c.arrivals * min(self._seconds, 1.0)
        presence = self._chain.log_odds(tracks[_PRESENCE]) - np.log(arrivals)
        evidence = presence[:, None] + densities - self._anyone.log_densities(measured)
        terms = {OVERLAP: 1 - overlap, MOTION: distances}
        total = evidence
        if seen.embeddings is not None:
            terms[APPEARANCE] = self._memory.distances(seen.embeddings)
            is_known = self._memory.is_known()[:, None] & seen.embeddings.any(axis=1)
            total = evidence + np.where(is_known, self._table(terms[APPEARANCE]) * certainty, 0)
        terms[AGAINST] = -total
        pairs = staged(match(terms[AGAINST], 0.0), ASSIGNED)
        return evidence, Decisions(tracks.ids, seen.rows, terms, {AGAINST: 0.0}, tuple(pairs))

    def _update_tracks(self, seen: Observations, certainty: np.ndarray, evidence: np.ndarray) -> np.ndarray:
        """Update, start and confirm tracks; return the track row of each detection, `NO_TRACK` for none."""
        tracks = self._tracks
        pairs = self.decisions.pairs if self.decisions is not None else ()
        track_of_detection = tracks.update(pairs, seen)
        is_matched = tracks.age == 0
        tracks[_PRESENCE][:] = self._chain.update(tracks[_PRESENCE], is_matched)
        tracks[_LOST][is_matched] = 0
        matched = np.flatnonzero(track_of_detection != NO_TRACK)
        self._remember(track_of_detection[matched], seen[matched], certainty[matched])
        free = self._startable(seen, track_of_detection)
        track_of_detection[free] = self._start(seen, free, evidence)
        self._confirm(track_of_detection[track_of_detection != NO_TRACK])
        self._recognise(track_of_detection)
        return track_of_detection

    def _startable(self, seen: Observations, track_of_detection: np.ndarray) -> np.ndarray:
        """Return the unmatched detections that may start a track."""
        new = self._constants.new
        is_likely = np.ones(len(seen), bool) if new is None else seen.confidence >= new
        return np.flatnonzero((track_of_detection == NO_TRACK) & is_likely)

    def _start(self, seen: Observations, columns: np.ndarray, evidence: np.ndarray) -> np.ndarray:
        """Start tracks, and note which lost people each of them may be; return their rows."""
        tracks, num_before = self._tracks, len(self._tracks)
        lost = np.flatnonzero(tracks.confirmed & (tracks[_LOST] > 0))
        numbers = tracks[_NUMBER][lost].astype(int)
        new = tracks.start(seen, columns)
        tracks[_PRESENCE][num_before:, VISIBLE] = 1
        tracks[_SAMPLES][num_before:] = 1
        tracks[_NUMBER][num_before:] = self._num_started + np.arange(len(columns))
        self._num_started += len(columns)
        if seen.embeddings is not None:
            for row, column in zip(new, columns, strict=True):
                self._returns.start(int(tracks[_NUMBER][row]), self._now, numbers, evidence[lost, column])
        return new

    def _remember(self, rows: np.ndarray, seen: Observations, certainty: np.ndarray) -> None:
        """Update the mean embeddings: the mean of all samples at first, then one that forgets in seconds.

        A covered crop changes the mean less.
        """
        if seen.embeddings is None or not len(rows):
            return
        samples = self._tracks[_SAMPLES]
        samples[rows] += 1
        newest = np.maximum(1 / samples[rows], 1 - np.exp(-self._seconds / self._constants.memory))
        self._tracks.remember(rows, seen.embeddings, alphas=1 - newest * np.clip(certainty, 0, 1))

    def _confirm(self, rows: np.ndarray) -> None:
        """Confirm tracks that were matched often or long enough; those of the first frame at once."""
        c = self._constants
        needed = min(int(c.confirm_seconds / self._seconds + 1e-6) + 1, c.confirm_hits) if self._num_frames > 1 else 1
        rows = np.sort(rows)
        self._tracks.confirm(rows[self._tracks.hits[rows] >= needed])

    def _recognise(self, track_of_detection: np.ndarray) -> None:
        """Give young tracks the id of a lost person, if all their crops together are evidence of that person.

        The row of the lost track is removed from the tracks: its presence becomes 0.
        """
        tracks = self._tracks
        rows = track_of_detection[track_of_detection != NO_TRACK]
        young = rows[[int(number) in self._returns for number in tracks[_NUMBER][rows]]]
        if not len(young):
            self._returns.forget(self._now)
            return
        row_of = {int(number): row for row, number in enumerate(tracks[_NUMBER]) if tracks[_LOST][row] > 0}
        ids = tracks.ids.copy()
        for row in young:
            number = int(tracks[_NUMBER][row])
            found = self._returns.best(number, row_of, partial(self._likeness, row))
            if found is None:
                continue
            ids[row], ids[found] = ids[found], ids[row]
            tracks.hits[row] += tracks.hits[found]
            tracks[_PRESENCE][found] = 0
            row_of = {number: row for number, row in row_of.items() if row != found}
            self._returns.stop(number)
        tracks.ids = ids
        self._returns.forget(self._now)

    def _likeness(self, row: int, other: int) -> float:
        """Return the log likelihood ratio that two tracks are one person, from their mean embeddings; 0 without one."""
        means, is_known = self._memory.means, self._memory.is_known()
        return float(self._table(1 - means[row] @ means[other])) if is_known[row] and is_known[other] else 0.0

    def _remove_tracks(self) -> None:
        """Remove people who have left, and tentative tracks without a match."""
        tracks, c = self._tracks, self._constants
        is_here = tracks[_PRESENCE][:, :2].sum(axis=1) > c.keep
        tracks.keep(is_here & (tracks.confirmed | (tracks[_LOST] <= c.tentative_seconds)))


def covered_shares(box_ltrb: np.ndarray) -> np.ndarray:
    """Return how much of each box the box that covers it most hides, 0 … 1, [n].

    A box is in front of another if its lower edge is lower in the picture.
    """
    if len(box_ltrb) < 2:
        return np.zeros(len(box_ltrb))
    num_rows = max(1, _PAIRS_AT_ONCE // len(box_ltrb))  # 10,000 boxes would need gigabytes at once
    starts = range(0, len(box_ltrb), num_rows)
    return np.concatenate([_covered(box_ltrb[start : start + num_rows], box_ltrb) for start in starts])


def _covered(box_ltrb: np.ndarray, others: np.ndarray) -> np.ndarray:
    left, top, right, bottom = box_ltrb.T[:, :, None]
    width = np.minimum(right, others[:, 2]) - np.maximum(left, others[:, 0])
    height = np.minimum(bottom, others[:, 3]) - np.maximum(top, others[:, 1])
    shares = np.clip(width, 0, None) * np.clip(height, 0, None) / ((right - left) * (bottom - top))
    return np.where(bottom < others[:, 3], shares, 0).max(axis=1)


def _table(gate: Gate | None, constants: EvidenceConstants) -> LikelihoodTable:
    if isinstance(gate, tuple | list):
        return read_table(gate)
    zero = constants.gate if gate is None else float(gate)
    return read_table(linear_rows(zero, constants.slope, constants.limit))
