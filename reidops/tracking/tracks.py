"""Components that all trackers share: the state of the tracks and the sorted detections of a frame.

The tracks of a tracker are stored in arrays with one row per track, so a frame needs a few array operations for any
number of tracks. A tracker processes a frame in these steps; their order depends on the tracker:

    seen = observe(detections, embeddings)          # sort and check the detections
    tracks.predict()                                # Kalman prediction; increment the age of all tracks
    pairs = …                                       # (track row, detection column), from association.py
    track_of_detection = tracks.update(pairs, seen) # correct matched tracks; the track row of each column
    track_of_detection[free] = tracks.start(…)      # start tracks at unmatched detections
    tracks.confirm(rows)                            # assign track ids
    ids = tracks.ids_of(track_of_detection)         # and reported_boxes(track_of_detection, …)
    result = output_detections(detections, seen, ids, boxes)
    tracks.keep(alive)                              # remove the other tracks; later rows move up
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import supervision as sv

from reidops.errors import ReidopsError
from reidops.mot.boxes import iou_matrix, ltrb_to_ltwh, ltwh_to_ltrb
from reidops.tracking.appearance import Memory
from reidops.tracking.association import Pair, StagedPair, split_pairs
from reidops.tracking.constants import Boxes
from reidops.tracking.motion import BoxMotion, stack

UNCONFIRMED = -1
NO_TRACK = -1

# Key of `sv.Detections.data` in the output of a tracker: the index of each row among the detections that the caller
# passed.
DETECTION = "detection"
NO_DETECTION = -1  # its value in a row whose track had no detection in this frame

# The cost matrices of a frame need up to 80 bytes per pair (Deep OC-SORT). 10,000 tracks and 10,000 detections are
# below the limit.
MOST_PAIRS = 2**27


@dataclass(frozen=True)
class Observations:
    """The detections of one frame in canonical order, so tracks do not depend on the order of the detector's output.

    Attributes:
        box_ltwh: [n, 4] px.
        confidence: [n], in the detector's own scale; 1 if the detector gives none.
        embeddings: [n, dim] unit rows, zeros for a detection without embedding; None in a tracker without appearance.
        rows: [n], index of each detection among those of the caller.
    """

    box_ltwh: np.ndarray
    confidence: np.ndarray
    embeddings: np.ndarray | None
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def box_ltrb(self) -> np.ndarray:
        """The same boxes, left, top, right, bottom, [n, 4] px."""
        return ltwh_to_ltrb(self.box_ltwh)

    @cached_property
    def clipped_confidence(self) -> np.ndarray:
        """The confidences in 0 … 1, [n]: those of detectors with another scale say nothing about a track."""
        return np.clip(self.confidence, 0, 1)

    def __getitem__(self, columns: np.ndarray | list[int]) -> "Observations":
        """Select detections by index or mask; `rows` still index the caller's detections."""
        embeddings = None if self.embeddings is None else self.embeddings[columns]
        return Observations(self.box_ltwh[columns], self.confidence[columns], embeddings, self.rows[columns])


class Tracks:
    """The active and lost tracks of one tracker, in the order in which they were started.

    Args:
        motion: the Kalman motion model.
        memory: the appearance memory; None = a tracker without appearance.
        columns: additional values per track, name → shape of the value of one track, () for a scalar; initialized with
            zeros.

    Attributes:
        ids: [n], from 1 in the order of confirmation; `UNCONFIRMED` for a tentative track.
        hits: [n], number of matched detections.
        streak: [n], number of consecutive frames with a match, up to the previous or the current frame.
        age: [n], frames since the last match; 0 = matched in the current frame.
        state: the Kalman state of all tracks.
    """

    def __init__(
        self, motion: BoxMotion, memory: Memory | None = None, columns: Mapping[str, tuple[int, ...]] | None = None
    ) -> None:
        self.motion = motion
        self.memory = memory
        self.state = motion.start(np.zeros((0, 4)))
        self.ids, self.hits, self.streak, self.age = (np.zeros(0, dtype=int) for _ in range(4))
        self._columns = {name: np.zeros((0, *shape)) for name, shape in (columns or {}).items()}
        self._num_confirmed = 0

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the additional values of a name, [n, …], as a writable array, not a copy."""
        return self._columns[name]

    @property
    def confirmed(self) -> np.ndarray:
        """Mask [n] of the confirmed tracks."""
        return self.ids != UNCONFIRMED

    @property
    def box_ltwh(self) -> np.ndarray:
        """Estimated boxes of the tracks: left, top, width, height, [n, 4] px."""
        return self.motion.boxes(self.state)

    @property
    def box_ltrb(self) -> np.ndarray:
        """Estimated boxes of the tracks: left, top, right, bottom, [n, 4] px."""
        return ltwh_to_ltrb(self.box_ltwh)

    def overlaps(self, seen: Observations) -> np.ndarray:
        """Return the IoU of each track's estimated box with each detection, [n, len(seen)].

        Raises:
            ReidopsError: the number of pairs exceeds `MOST_PAIRS`.
        """
        if len(self) * len(seen) > MOST_PAIRS:
            raise ReidopsError(
                f"{len(self):,} tracks against {len(seen):,} detections of a frame are more than {MOST_PAIRS:,} pairs, "
                f"which is too much for"
                " memory; leave out unlikely detections (min_confidence, nms), or forget lost tracks sooner (max_age)"
            )
        return iou_matrix(self.box_ltrb, seen.box_ltrb)

    def predict(self, keeps_size: np.ndarray | None = None) -> None:
        """Predict the state of all tracks in the next frame; `keeps_size` as in `BoxMotion.predict`."""
        self.state = self.motion.predict(self.state, keeps_size)
        self.age = self.age + 1

    def warp(self, affine: np.ndarray) -> None:
        """Apply camera motion [2, 3] to all tracks, as in `BoxMotion.warp`."""
        self.state = self.motion.warp(self.state, affine)

    def warp_boxes(self, affine: np.ndarray) -> None:
        """Apply camera motion [2, 3] to the boxes of all tracks, as in `BoxMotion.warp_boxes`."""
        self.state = self.motion.warp_boxes(self.state, affine)

    def update(
        self, pairs: Sequence[Pair | StagedPair], seen: Observations, confidence: np.ndarray | None = None
    ) -> np.ndarray:
        """Update the Kalman state and the counts of the matched tracks; `remember` updates their appearance.

        Args:
            confidence: [len(seen)], scales the measurement noise as in `BoxMotion.correct`; None = the same noise for
                all detections.

        Returns:
            The track row of each detection, [len(seen)], `NO_TRACK` for an unmatched detection.
        """
        rows, columns = split_pairs(pairs)
        track_of_detection = np.full(len(seen), NO_TRACK)
        track_of_detection[columns] = rows
        if len(rows):
            confidence = None if confidence is None else confidence[columns]
            corrected = self.motion.correct(self.state[rows], seen.box_ltwh[columns], confidence)
            self.state = self.state.replaced(rows, corrected)
        self.streak[rows] = np.where(self.age[rows] > 1, 1, self.streak[rows] + 1)
        self.hits[rows] += 1
        self.age[rows] = 0
        return track_of_detection

    def remember(self, rows: np.ndarray | list[int], embeddings: np.ndarray | None, **options: np.ndarray) -> None:
        """Add embeddings [num_rows, dim] to the memory of these tracks; does nothing without a memory or embeddings.

        Args:
            options: passed to the `add` of the memory (`alphas` of `Ema`).
        """
        if self.memory is not None and embeddings is not None:
            self.memory.add(rows, embeddings, **options)

    def start(self, seen: Observations, columns: np.ndarray | list[int]) -> np.ndarray:
        """Start a track, including its appearance, at each of these detections; return the new rows in the same
        order.
        """
        num_before, num_new = len(self), len(columns)
        new = np.arange(num_before, num_before + num_new)
        if not num_new:
            return new
        self.state = stack([self.state, self.motion.start(seen.box_ltwh[columns])])
        self.ids = np.concatenate([self.ids, np.full(num_new, UNCONFIRMED)])
        self.hits, self.streak = (
            np.concatenate([counts, np.ones(num_new, dtype=int)]) for counts in (self.hits, self.streak)
        )
        self.age = np.concatenate([self.age, np.zeros(num_new, dtype=int)])
        self._columns = {
            name: np.concatenate([v, np.zeros((num_new, *v.shape[1:]))]) for name, v in self._columns.items()
        }
        if self.memory is not None:
            self.memory.append(num_new)
        self.remember(new, None if seen.embeddings is None else seen.embeddings[columns])
        return new

    def confirm(self, rows: np.ndarray | list[int]) -> None:
        """Assign the next track ids to the tentative tracks among these rows, in the given order."""
        rows = np.asarray(rows, dtype=int)
        new = rows[~self.confirmed[rows]]
        self.ids = self.ids.copy()  # callers may hold the array of the previous frame
        self.ids[new] = np.arange(self._num_confirmed + 1, self._num_confirmed + len(new) + 1)
        self._num_confirmed += len(new)

    def ids_of(self, track_of_detection: np.ndarray) -> np.ndarray:
        """Return the track id of each detection; `UNCONFIRMED` for unmatched detections and for tentative tracks."""
        ids = np.full(len(track_of_detection), UNCONFIRMED)
        matched = track_of_detection != NO_TRACK
        ids[matched] = self.ids[track_of_detection[matched]]
        return ids

    def reported_boxes(self, track_of_detection: np.ndarray, boxes: Boxes) -> np.ndarray | None:
        """Return the filtered box of each detection's track, box_ltrb [len(track_of_detection), 4]; None if `boxes` is
        "detections".

        A row is NaN for an unmatched detection and for a box that is not finite or has no area.
        """
        if boxes == "detections":
            return None
        found = np.full((len(track_of_detection), 4), np.nan)
        matched = track_of_detection != NO_TRACK
        found[matched] = with_area(self.box_ltrb[track_of_detection[matched]])
        return found

    def keep(self, alive: np.ndarray) -> None:
        """Remove the tracks outside the mask [n]; later rows move up."""
        if alive.all():
            return
        self.state = self.state[alive]
        self.ids, self.hits, self.streak, self.age = (v[alive] for v in (self.ids, self.hits, self.streak, self.age))
        self._columns = {name: values[alive] for name, values in self._columns.items()}
        if self.memory is not None:
            self.memory.keep(alive)


def observe(detections: sv.Detections, embeddings: np.ndarray | None) -> Observations:
    """Check the detections of a frame and sort them into canonical order.

    Raises:
        ReidopsError: a box is not finite or has no area, a confidence is NaN, or the embeddings are not one finite row
            per detection.
    """
    box_ltwh = ltrb_to_ltwh(detections.xyxy)
    scores = detections.confidence
    confidence = np.ones(len(box_ltwh)) if scores is None else np.asarray(scores, dtype=float)
    _check_boxes(box_ltwh)
    _check_confidence(confidence)
    if embeddings is not None:
        _check_embeddings(embeddings, len(box_ltwh))
        embeddings = np.asarray(embeddings, np.float32)
    rows = _sorted_rows(np.column_stack([confidence, box_ltwh]), embeddings)
    return Observations(box_ltwh[rows], confidence[rows], None if embeddings is None else embeddings[rows], rows)


def output_detections(
    detections: sv.Detections, seen: Observations, ids: np.ndarray, box_ltrb: np.ndarray | None = None
) -> sv.Detections:
    """Return the detections of confirmed tracks, in the caller's order, with `tracker_id` and `data["detection"]` set.

    Args:
        ids: [len(seen)], from `Tracks.ids_of`.
        box_ltrb: [len(seen), 4], from `Tracks.reported_boxes`. A row of NaN keeps the detection's box. None = keep all
            of them.
    """
    visible = np.flatnonzero(ids != UNCONFIRMED)
    rows = seen.rows[visible]
    order = rows.argsort()
    rows, visible = rows[order], visible[order]
    result = detections[rows]
    result.tracker_id = ids[visible]
    result.data[DETECTION] = rows
    if box_ltrb is not None:
        shown = box_ltrb[visible]
        result.xyxy = np.where(np.isnan(shown), result.xyxy, shown)
    return result


def coasting(last: sv.Detections, tracks: Tracks, max_coast: int) -> sv.Detections:
    """Return the rows of the previous output whose tracks have been unmatched for 1 … `max_coast` frames, with
    predicted boxes.

    Confidence, class and the caller's data are those of the track's last detection. `data["detection"]` is
    `NO_DETECTION`.

    Args:
        last: the output of the tracker for the previous frame.
    """
    row_of = {track_id: row for row, track_id in enumerate(tracks.ids.tolist()) if 0 < tracks.age[row] <= max_coast}
    places = [
        place
        for place, track_id in enumerate([] if last.tracker_id is None else last.tracker_id.tolist())
        if track_id in row_of
    ]
    box_ltrb = with_area(tracks.box_ltrb[[row_of[int(last.tracker_id[place])] for place in places]])
    whole = ~np.isnan(box_ltrb).any(axis=1)
    result = last[np.array(places, dtype=int)[whole]]
    result.xyxy = box_ltrb[whole]
    result.data[DETECTION] = np.full(len(result), NO_DETECTION)
    return result


def with_area(box_ltrb: np.ndarray) -> np.ndarray:
    """Replace boxes that are not finite or have no area with rows of NaN, [n, 4]."""
    if np.isfinite(box_ltrb).all() and (box_ltrb[:, 2:] > box_ltrb[:, :2]).all():
        return box_ltrb
    whole = np.isfinite(box_ltrb).all(axis=1) & (box_ltrb[:, 2:] > box_ltrb[:, :2]).all(axis=1)
    return np.where(whole[:, None], box_ltrb, np.nan)


def _sorted_rows(keys: np.ndarray, embeddings: np.ndarray | None) -> np.ndarray:
    """Return the order of the detections by box and confidence; ties are ordered by embedding."""
    rows = np.lexsort(keys.T)
    if embeddings is None or len(rows) < 2:
        return rows
    twins = (keys[rows[1:]] == keys[rows[:-1]]).all(axis=1).any()
    return np.lexsort([*embeddings.T, *keys.T]) if twins else rows


def _check_boxes(box_ltwh: np.ndarray) -> None:
    if np.isfinite(box_ltwh).all() and (box_ltwh[:, 2:] > 0).all():
        return
    wrong = ~(np.isfinite(box_ltwh).all(axis=1) & (box_ltwh[:, 2:] > 0).all(axis=1))
    row = int(wrong.argmax())
    raise ReidopsError(
        f"detection {row}: box left, top, width, height = {box_ltwh[row].tolist()}; expected finite px and a "
        f"positive size;"
        " drop such boxes before tracking"
    )


def _check_confidence(confidence: np.ndarray) -> None:
    if np.isnan(confidence).any():
        row = int(np.isnan(confidence).argmax())
        raise ReidopsError(
            f"detection {row}: its confidence is NaN; expected a number, or confidence=None for all where there is none"
        )


def _check_embeddings(embeddings: np.ndarray, num_detections: int) -> None:
    if embeddings.ndim != 2 or len(embeddings) != num_detections:
        raise ReidopsError(
            f"embeddings have the shape {embeddings.shape}, expected one row for each of {num_detections} detections"
        )
    if not np.isfinite(embeddings).all():
        row = int((~np.isfinite(embeddings)).any(axis=1).argmax())
        raise ReidopsError(f"embedding {row} holds NaN or infinity; give a row of zeros to a detection that has none")
