"""What all trackers share: the life of their tracks, and the detections of a frame in an order of their own.

All tracks of a tracker lie in arrays with a row each, so that a frame costs a few array operations, however many there are.
A frame runs like this, in each tracker's own order:

    seen = observe(detections, embeddings)          # sorted and checked
    tracks.predict()                                # where they will be; everybody one frame older
    pairs = …                                       # (track row, detection column), from association.py
    owners = tracks.see(pairs, seen)                # matched tracks are corrected; owners[column] = track row
    owners[free] = tracks.start(seen, free)         # new tracks for columns that nobody took
    tracks.confirm(rows)                            # give them numbers
    result = shown(detections, seen, tracks.ids_of(owners), tracks.reported_boxes(owners, boxes))
    tracks.keep(alive)                              # the others are forgotten; rows move up
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import supervision as sv

from reidops.errors import ReidopsError
from reidops.mot.boxes import iou_matrix, ltrb_to_ltwh, ltwh_to_ltrb
from reidops.tracking.appearance import Memory
from reidops.tracking.association import Pair, StagedPair, split_pairs
from reidops.tracking.constants import Boxes
from reidops.tracking.motion import BoxMotion, stack

UNCONFIRMED = -1
NOBODY = -1

# Key of `sv.Detections.data` in what a tracker returns: which of the caller's detections of this frame each row is.
DETECTION = "detection"
NO_DETECTION = -1  # its value in a row whose track had no detection in this frame

# A frame weighs each track against each detection, at up to 80 bytes a pair (Deep OC-SORT): 10,000 against 10,000 still go.
MOST_PAIRS = 2**27


@dataclass(frozen=True)
class Observations:
    """The detections of one frame, sorted, so that tracks do not depend on the order in which a detector tells them.

    Attributes:
        box_ltwh: [n, 4] px.
        confidence: [n], the detector's own scale; 1 where it told none.
        embeddings: [n, dim] unit rows, zeros where there is none; None in a tracker without appearance.
        rows: [n], which of the caller's detections each one is.
    """

    box_ltwh: np.ndarray
    confidence: np.ndarray
    embeddings: np.ndarray | None
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def box_ltrb(self) -> np.ndarray:
        """The same boxes, left, top, right, bottom, [n, 4] px."""
        return ltwh_to_ltrb(self.box_ltwh)

    def __getitem__(self, columns: np.ndarray | list[int]) -> "Observations":
        """Return some of them (numbers or a mask), those above a confidence for example; `rows` stay the caller's."""
        embeddings = None if self.embeddings is None else self.embeddings[columns]
        return Observations(self.box_ltwh[columns], self.confidence[columns], embeddings, self.rows[columns])


class Tracks:
    """The live tracks of one tracker, in the order in which they were started.

    Args:
        motion: the filter that foresees them.
        memory: of their looks; None = a tracker without appearance.
        columns: what else a tracker notes of each track, name → shape of one track's value, () for a number; zeros at the start.

    Attributes:
        ids: [n], from 1 in the order of confirmation; `UNCONFIRMED` before.
        hits: [n], detections so far.
        streak: [n], detections in a row, up to the last frame or this one.
        age: [n], frames since each was last seen; 0 = in this frame.
        state: of all of them, of `motion`.
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
        """Return what was noted under a name, [n, …]; to be written into as it is."""
        return self._columns[name]

    @property
    def confirmed(self) -> np.ndarray:
        """Mask [n] of the tracks that were seen often enough to be shown."""
        return self.ids != UNCONFIRMED

    @property
    def box_ltwh(self) -> np.ndarray:
        """Where the tracks are believed to be, [n, 4] px."""
        return self.motion.boxes(self.state)

    @property
    def box_ltrb(self) -> np.ndarray:
        """The same, left, top, right, bottom."""
        return ltwh_to_ltrb(self.box_ltwh)

    def overlaps(self, seen: Observations) -> np.ndarray:
        """Return the IoU of each track, where it is believed to be, with each detection, [n, len(seen)].

        Raises:
            ReidopsError: there are more pairs than memory is taken to have room for.
        """
        if len(self) * len(seen) > MOST_PAIRS:
            raise ReidopsError(
                f"{len(self):,} tracks against {len(seen):,} detections of a frame are more than {MOST_PAIRS:,} pairs, which is too much for"
                " memory; leave out unlikely detections (min_confidence, nms), or forget lost tracks sooner (max_age)"
            )
        return iou_matrix(self.box_ltrb, seen.box_ltrb)

    def predict(self, keeps_size: np.ndarray | None = None) -> None:
        """Carry all tracks one frame on; `keeps_size` as in `BoxMotion.predict`."""
        self.state = self.motion.predict(self.state, keeps_size)
        self.age = self.age + 1

    def warp(self, affine: np.ndarray) -> None:
        """Move all tracks with the camera, [2, 3], as in `BoxMotion.warp`."""
        self.state = self.motion.warp(self.state, affine)

    def warp_boxes(self, affine: np.ndarray) -> None:
        """Move the boxes of all tracks with the camera, [2, 3], as in `BoxMotion.warp_boxes`."""
        self.state = self.motion.warp_boxes(self.state, affine)

    def see(self, pairs: Sequence[Pair | StagedPair], seen: Observations, confidence: np.ndarray | None = None) -> np.ndarray:
        """Correct the tracks of the pairs by their detections; what they look like is left to `remember`.

        Args:
            confidence: [len(seen)] for a filter that believes confident detections more; None = all alike.

        Returns:
            owners, [len(seen)]: the row of each detection's track, `NOBODY` where no pair holds it.
        """
        rows, columns = split_pairs(pairs)
        owners = np.full(len(seen), NOBODY)
        owners[columns] = rows
        if len(rows):
            confidence = None if confidence is None else confidence[columns]
            corrected = self.motion.correct(self.state[rows], seen.box_ltwh[columns], confidence)
            self.state = self.state.replaced(rows, corrected)
        self.streak[rows] = np.where(self.age[rows] > 1, 1, self.streak[rows] + 1)
        self.hits[rows] += 1
        self.age[rows] = 0
        return owners

    def remember(self, rows: np.ndarray | list[int], embeddings: np.ndarray | None, **options: np.ndarray) -> None:
        """Add what the tracks of these rows look like, [num_rows, dim]; nothing without a memory or embeddings.

        Args:
            options: for this kind of memory (`alphas` of `Ema`).
        """
        if self.memory is not None and embeddings is not None:
            self.memory.add(rows, embeddings, **options)

    def start(self, seen: Observations, columns: np.ndarray | list[int]) -> np.ndarray:
        """Begin a track with each of these detections, looks included, and return the new rows, in the same order."""
        num_before, num_new = len(self), len(columns)
        new = np.arange(num_before, num_before + num_new)
        if not num_new:
            return new
        self.state = stack([self.state, self.motion.start(seen.box_ltwh[columns])])
        self.ids = np.concatenate([self.ids, np.full(num_new, UNCONFIRMED)])
        self.hits, self.streak = (np.concatenate([counts, np.ones(num_new, dtype=int)]) for counts in (self.hits, self.streak))
        self.age = np.concatenate([self.age, np.zeros(num_new, dtype=int)])
        self._columns = {name: np.concatenate([v, np.zeros((num_new, *v.shape[1:]))]) for name, v in self._columns.items()}
        if self.memory is not None:
            self.memory.append(num_new)
        self.remember(new, None if seen.embeddings is None else seen.embeddings[columns])
        return new

    def confirm(self, rows: np.ndarray | list[int]) -> None:
        """Give the next numbers to those of these rows that have none, in the order given."""
        rows = np.asarray(rows, dtype=int)
        new = rows[~self.confirmed[rows]]
        self.ids = self.ids.copy()  # who was given the numbers of the frame before keeps them
        self.ids[new] = np.arange(self._num_confirmed + 1, self._num_confirmed + len(new) + 1)
        self._num_confirmed += len(new)

    def ids_of(self, owners: np.ndarray) -> np.ndarray:
        """Return the numbers of the tracks in these rows; `UNCONFIRMED` for `NOBODY` and for tracks that have none."""
        ids = np.full(len(owners), UNCONFIRMED)
        owned = owners != NOBODY
        ids[owned] = self.ids[owners[owned]]
        return ids

    def reported_boxes(self, owners: np.ndarray, boxes: Boxes) -> np.ndarray | None:
        """Return the filter's box of each detection's track, box_ltrb [len(owners), 4]; None where detections' boxes are reported.

        A row is NaN for `NOBODY` and for a box that is not finite or has no area.
        """
        if boxes == "detections":
            return None
        found = np.full((len(owners), 4), np.nan)
        owned = owners != NOBODY
        found[owned] = with_area(self.box_ltrb[owners[owned]])
        return found

    def keep(self, alive: np.ndarray) -> None:
        """Forget the tracks outside the mask [n]; the rows of the others move up."""
        if alive.all():
            return
        self.state = self.state[alive]
        self.ids, self.hits, self.streak, self.age = (v[alive] for v in (self.ids, self.hits, self.streak, self.age))
        self._columns = {name: values[alive] for name, values in self._columns.items()}
        if self.memory is not None:
            self.memory.keep(alive)


def observe(detections: sv.Detections, embeddings: np.ndarray | None) -> Observations:
    """Return the detections of a frame in canonical order.

    Raises:
        ReidopsError: a box is not finite or has no area, a confidence is no number, or the embeddings are not one finite row for
            each detection.
    """
    box_ltwh = ltrb_to_ltwh(detections.xyxy)
    told = detections.confidence
    confidence = np.ones(len(box_ltwh)) if told is None else np.asarray(told, dtype=float)
    _check_boxes(box_ltwh)
    _check_confidence(confidence)
    if embeddings is not None:
        _check_embeddings(embeddings, len(box_ltwh))
        embeddings = np.asarray(embeddings, np.float32)
    rows = _sorted_rows(np.column_stack([confidence, box_ltwh]), embeddings)
    return Observations(box_ltwh[rows], confidence[rows], None if embeddings is None else embeddings[rows], rows)


def shown(
    detections: sv.Detections, seen: Observations, ids: np.ndarray, box_ltrb: np.ndarray | None = None
) -> sv.Detections:
    """Return the detections whose track has a number, in the caller's order, with `tracker_id` and `data["detection"]` set.

    Args:
        ids: [len(seen)], as `Tracks.ids_of` returns them.
        box_ltrb: [len(seen), 4], as `Tracks.reported_boxes` returns them; a row of NaN keeps the detection's box, None = all do.
    """
    visible = np.flatnonzero(ids != UNCONFIRMED)
    visible = visible[np.argsort(seen.rows[visible])]
    result = detections[seen.rows[visible]]
    result.tracker_id = ids[visible]
    result.data[DETECTION] = seen.rows[visible]
    if box_ltrb is not None:
        result.xyxy = np.where(np.isnan(box_ltrb[visible]), result.xyxy, box_ltrb[visible])
    return result


def coasting(last: sv.Detections, tracks: Tracks, max_coast: int) -> sv.Detections:
    """Return the rows of the last frame's result whose tracks have been unseen for 1 … `max_coast` frames, at the predicted boxes.

    Confidence, class and the caller's data are those of the track's last detection; `data["detection"]` is `NO_DETECTION`.

    Args:
        last: what the tracker returned for the frame before.
    """
    row_of = {track_id: row for row, track_id in enumerate(tracks.ids.tolist()) if 0 < tracks.age[row] <= max_coast}
    places = [place for place, track_id in enumerate([] if last.tracker_id is None else last.tracker_id.tolist()) if track_id in row_of]
    box_ltrb = with_area(tracks.box_ltrb[[row_of[int(last.tracker_id[place])] for place in places]])
    whole = ~np.isnan(box_ltrb).any(axis=1)
    result = last[np.array(places, dtype=int)[whole]]
    result.xyxy = box_ltrb[whole]
    result.data[DETECTION] = np.full(len(result), NO_DETECTION)
    return result


def with_area(box_ltrb: np.ndarray) -> np.ndarray:
    """Return boxes [n, 4] with NaN in the rows of those that are not finite or have no area."""
    whole = np.isfinite(box_ltrb).all(axis=1) & (box_ltrb[:, 2:] > box_ltrb[:, :2]).all(axis=1)
    return np.where(whole[:, None], box_ltrb, np.nan)


def _sorted_rows(keys: np.ndarray, embeddings: np.ndarray | None) -> np.ndarray:
    """Return the order of detections by box and confidence; of those that agree in all of it, by embedding."""
    rows = np.lexsort(keys.T)
    twins = len(rows) > 1 and (keys[rows[1:]] == keys[rows[:-1]]).all(axis=1).any()
    return np.lexsort([*embeddings.T, *keys.T]) if twins and embeddings is not None else rows


def _check_boxes(box_ltwh: np.ndarray) -> None:
    wrong = ~(np.isfinite(box_ltwh).all(axis=1) & (box_ltwh[:, 2:] > 0).all(axis=1))
    if wrong.any():
        row = int(wrong.argmax())
        raise ReidopsError(
            f"detection {row}: box left, top, width, height = {box_ltwh[row].tolist()}; expected finite px and a positive size;"
            " drop such boxes before tracking"
        )


def _check_confidence(confidence: np.ndarray) -> None:
    if np.isnan(confidence).any():
        row = int(np.isnan(confidence).argmax())
        raise ReidopsError(f"detection {row}: its confidence is NaN; expected a number, or confidence=None for all where there is none")


def _check_embeddings(embeddings: np.ndarray, num_detections: int) -> None:
    if embeddings.ndim != 2 or len(embeddings) != num_detections:
        raise ReidopsError(f"embeddings have the shape {embeddings.shape}, expected one row for each of {num_detections} detections")
    if not np.isfinite(embeddings).all():
        row = int((~np.isfinite(embeddings)).any(axis=1).argmax())
        raise ReidopsError(f"embedding {row} holds NaN or infinity; give a row of zeros to a detection that has none")
