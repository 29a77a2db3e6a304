"""Overlapping boxes of people and tracks as one sparse table, and the matches of CLEAR and HOTA among them.

All scores are counted from this table. The matches are TrackEval's, including its order of frames and its ties. A frame
in which each box overlaps at most one other needs no assignment: every pair is a match.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

from reidops.boxes.identities import EPS, MATCH_IOU

_CONTINUED = 1000  # CLEAR's bonus for the match of the previous frame


@dataclass(frozen=True)
class Comparison:
    """Ground truth and tracks of each frame after the preprocessing.

    Attributes:
        frames: 1-based numbers.
        gt_ids, tracker_ids: of each frame, an int array of the ids in the files.
        similarities: of each frame, IoU [num_gt, num_tracks].
    """

    frames: list[int]
    gt_ids: list[np.ndarray]
    tracker_ids: list[np.ndarray]
    similarities: list[np.ndarray]

    @cached_property
    def overlaps(self) -> "Overlaps":
        """Return the pairs of boxes that overlap; computed once for all scores."""
        return Overlaps.of(self)


@dataclass(frozen=True)
class ClearMatches:
    """CLEAR's matches, one row each, in order of frames.

    Attributes:
        rows: of the table of overlaps, int [num_matches].
        switched: whether the person's previous match was another track, bool [num_matches].
    """

    rows: np.ndarray
    switched: np.ndarray


@dataclass(frozen=True)
class Overlaps:
    """One row per pair of a person and a track that overlap in a frame, in order of frames.

    People and tracks are numbered from 0 in ascending order of their ids.

    Attributes:
        frame: index of the frame in the comparison, from 0, int [num_rows].
        person, track: int [num_rows].
        row, column: index of the pair in its frame's IoU matrix, int [num_rows].
        iou: float [num_rows], above 0.
        share: float [num_rows], the pair's IoU divided by the sum of all overlaps of both boxes, as HOTA weights it.
        starts: first row of each frame, and the number of rows, int [num_frames + 1].
        people, tracks: in each frame, int arrays.
        person_frames, track_frames: number of frames of each, int [num_people] and [num_tracks].
    """

    frame: np.ndarray
    person: np.ndarray
    track: np.ndarray
    row: np.ndarray
    column: np.ndarray
    iou: np.ndarray
    share: np.ndarray
    starts: np.ndarray
    people: list[np.ndarray]
    tracks: list[np.ndarray]
    person_frames: np.ndarray
    track_frames: np.ndarray

    @classmethod
    def of(cls, comparison: Comparison) -> "Overlaps":
        """Return the overlaps of a comparison."""
        (people, num_people), (tracks, num_tracks) = numbered(comparison.gt_ids), numbered(comparison.tracker_ids)
        found = [np.nonzero(similarities) for similarities in comparison.similarities]
        frames = list(zip(comparison.similarities, found, strict=True))
        iou = _floats([s[at] for s, at in frames])
        sums = _floats([s.sum(0)[columns] + s.sum(1)[rows] for s, (rows, columns) in frames])
        counts = np.array([len(rows) for rows, _ in found], int)
        return cls(
            frame=np.repeat(np.arange(len(found)), counts),
            person=joined([ids[rows] for ids, (rows, _) in zip(people, found, strict=True)]),
            track=joined([ids[columns] for ids, (_, columns) in zip(tracks, found, strict=True)]),
            row=joined([rows for rows, _ in found]),
            column=joined([columns for _, columns in found]),
            iou=iou,
            share=iou / (sums - iou),
            starts=np.concatenate([[0], np.cumsum(counts)]).astype(int),
            people=people,
            tracks=tracks,
            person_frames=np.bincount(joined(people), minlength=num_people),
            track_frames=np.bincount(joined(tracks), minlength=num_tracks),
        )

    @property
    def num_frames(self) -> int:
        """Return the number of frames, including those without overlap."""
        return len(self.people)

    @cached_property
    def num_boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of people and of tracks in each frame, both int [num_frames]."""
        return np.array([len(ids) for ids in self.people], int), np.array([len(ids) for ids in self.tracks], int)

    @cached_property
    def compared_frames(self) -> np.ndarray:
        """Return the frames that have both people and tracks; CLEAR skips the others."""
        people, tracks = self.num_boxes
        return np.flatnonzero((people > 0) & (tracks > 0))

    @cached_property
    def clear(self) -> ClearMatches:
        """Return CLEAR's matches."""
        return _clear_matches(self)

    @cached_property
    def hota(self) -> np.ndarray:
        """Return the rows of HOTA's matches before any threshold, in order of frames."""
        return _hota_matches(self)

    def table(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of a value over the rows of each person and track, float [num_people, num_tracks]."""
        shape = (len(self.person_frames), len(self.track_frames))
        flat = self.person * shape[1] + self.track
        return np.bincount(flat, values, minlength=shape[0] * shape[1]).reshape(shape)

    def contested_frames(self, keep: np.ndarray) -> np.ndarray:
        """Return the frames in which a person or a track is in several of the kept rows, ascending.

        In the other frames every kept row is a match.
        """
        rows = np.flatnonzero(keep)
        contested = np.zeros(self.num_frames, dtype=bool)
        for ids, num in ((self.person, len(self.person_frames)), (self.track, len(self.track_frames))):
            boxes, count = np.unique(self.frame[rows] * max(1, num) + ids[rows], return_counts=True)
            contested[boxes[count > 1] // max(1, num)] = True
        return np.flatnonzero(contested)

    def match_frame(self, rows: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Return the one-to-one matches with the largest total score among some rows of one frame.

        Args:
            rows: int [n], rows of the table, all of one frame; scores: float [n], above 0.
        """
        frame = self.frame[rows[0]]
        shape = (len(self.people[frame]), len(self.tracks[frame]))
        table, place = np.zeros(shape), np.full(shape, -1)
        at = self.row[rows], self.column[rows]
        table[at], place[at] = scores, rows
        matched = place[linear_sum_assignment(-table)]
        return matched[matched >= 0]


def _clear_matches(overlaps: Overlaps) -> ClearMatches:
    """Return CLEAR's matches: the previous frame's match is kept if it still overlaps, then IoU decides."""
    matched = overlaps.iou >= MATCH_IOU - EPS
    compared = overlaps.compared_frames
    before = dict(zip(compared[1:].tolist(), compared[:-1].tolist(), strict=True))
    for frame in overlaps.contested_frames(matched).tolist():
        rows = _rows(overlaps, frame, matched)
        held = _rows(overlaps, before[frame], matched) if frame in before else rows[:0]
        pairs = set(zip(overlaps.person[held].tolist(), overlaps.track[held].tolist(), strict=True))
        continued = [
            pair in pairs for pair in zip(overlaps.person[rows].tolist(), overlaps.track[rows].tolist(), strict=True)
        ]
        chosen = overlaps.match_frame(rows, _CONTINUED * np.array(continued) + overlaps.iou[rows])
        matched[rows] = False
        matched[chosen] = True
    rows = np.flatnonzero(matched)
    return ClearMatches(rows, _switched(overlaps.person[rows], overlaps.track[rows]))


def _hota_matches(overlaps: Overlaps) -> np.ndarray:
    """Return the rows of HOTA's matches before any threshold, in order of frames (Luiten et al. 2021, section 5)."""
    potential = overlaps.table(overlaps.share)
    alignment = potential / np.maximum(1, overlaps.person_frames[:, None] + overlaps.track_frames - potential)
    scores = alignment[overlaps.person, overlaps.track] * overlaps.iou
    matched = np.ones(len(scores), dtype=bool)
    for frame in overlaps.contested_frames(matched).tolist():
        rows = np.arange(overlaps.starts[frame], overlaps.starts[frame + 1])
        matched[rows] = False
        matched[overlaps.match_frame(rows, scores[rows])] = True
    return np.flatnonzero(matched)


def _rows(overlaps: Overlaps, frame: int, keep: np.ndarray) -> np.ndarray:
    """Return the kept rows of a frame."""
    start = overlaps.starts[frame]
    return start + np.flatnonzero(keep[start : overlaps.starts[frame + 1]])


def _switched(person: np.ndarray, track: np.ndarray) -> np.ndarray:
    """Return, for each match in order of frames, whether the person's previous match was another track."""
    order = np.argsort(person, kind="stable")
    switched = np.zeros(len(person), dtype=bool)
    switched[order[1:]] = (np.diff(person[order]) == 0) & (np.diff(track[order]) != 0)
    return switched


def numbered(ids_by_frame: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """Return the ids renumbered from 0 in ascending order, and their number."""
    known = np.unique(joined(ids_by_frame))
    return [np.searchsorted(known, ids) for ids in ids_by_frame], len(known)


def joined(arrays: list[np.ndarray]) -> np.ndarray:
    """Return the concatenated int arrays; int [0] for none."""
    return np.concatenate([np.zeros(0, int), *arrays])


def _floats(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *arrays])
