"""Scores of stretches of a sequence that add up to the scores of the whole, so that a bootstrap can draw stretches.

Identity and association are decided on the *whole* sequence, as the official scores have it: which track is a person's own (IDF1), and
how well a pair of person and track belongs together (HOTA's A). What a frame adds under these decisions is then a plain count:

- IDTP: boxes that lie on their person's own track; with the numbers of boxes they give IDF1 = 2 IDTP / (truth + tracks).
- for each of HOTA's 19 thresholds the matches (TP) and the sum of A over them; DetA = TP / (truth + tracks − TP),
  AssA = ΣA / TP, HOTA = the mean over the thresholds of √(DetA · AssA).
- misses, false positives and switches, from motmetrics' events; MOTA = 1 − their sum / truth.

Sums over all frames of a sequence are exactly the counts behind its scores; sums over sequences those behind the combined ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from reidops.mot.sequences import DETECTORS
from reidops.tracking.scoring import MATCH_IOU, Comparison, numbered

THRESHOLDS = np.arange(0.05, 0.99, 0.05)  # HOTA's
_EPS = np.finfo(float).eps
_PLAIN = ("truth", "tracks", "IDTP", "MISS", "FP", "SWITCH")
_TP = slice(len(_PLAIN), len(_PLAIN) + len(THRESHOLDS))
_A = slice(_TP.stop, _TP.stop + len(THRESHOLDS))
NUM_COUNTS = _A.stop

WINDOW_SCORES = ("IDF1", "HOTA", "AssA", "MOTA", "IDSW")


def frame_counts(comparison: Comparison, events: pd.DataFrame) -> np.ndarray:
    """Return what each frame adds, float64 [num_frames, NUM_COUNTS].

    Args:
        events: motmetrics' event table of the same comparison.
    """
    counts = np.zeros((len(comparison.frames), NUM_COUNTS))
    counts[:, 0] = [len(ids) for ids in comparison.gt_ids]
    counts[:, 1] = [len(ids) for ids in comparison.tracker_ids]
    pairs = _Pairs.of(comparison)
    counts[:, 2] = _identity_matches(pairs, len(counts))
    place = np.searchsorted(comparison.frames, events["frame"])
    for column, name in enumerate(_PLAIN[3:], 3):
        counts[:, column] = np.bincount(place[(events["event"] == name).to_numpy()], minlength=len(counts))
    counts[:, _TP], counts[:, _A] = _hota_matches(comparison, pairs)
    return counts


def window_counts(of_frames: np.ndarray, length: int) -> np.ndarray:
    """Return the counts of consecutive windows of about `length` frames, [num_windows, NUM_COUNTS]; the windows are as even as can be."""
    num_windows = max(1, round(len(of_frames) / length))
    return np.stack([window.sum(axis=0) for window in np.array_split(of_frames, num_windows)])


def windows_by_video(of_frames: Iterable[tuple[str, np.ndarray]], length: int) -> dict[str, np.ndarray]:
    """Return the windows of each video, the counts of its copies for several detectors added up.

    The copies (MOT17-02-DPM, -FRCNN, -SDP) show the same people in the same frames: taken for three videos they would make
    intervals too narrow.

    Args:
        of_frames: names of sequences, and what each of their frames adds (`frame_counts`).
    """
    videos: dict[str, np.ndarray] = {}
    for sequence, counts in of_frames:
        stem, _, last = sequence.rpartition("-")
        video = f"{stem if last in DETECTORS else sequence}:{len(counts)}"
        videos[video] = videos.get(video, 0) + window_counts(counts, length)
    return videos


def window_scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores (WINDOW_SCORES) of sums of counts [..., NUM_COUNTS], each [...]; 0 where there is nobody, as TrackEval has it."""
    truth, tracks, idtp, misses, false, switches = (sums[..., column] for column in range(len(_PLAIN)))
    matches = sums[..., _TP]
    detection = _ratio(matches, (truth + tracks)[..., None] - matches)
    association = _ratio(sums[..., _A], matches)
    return {
        "IDF1": _ratio(2 * idtp, truth + tracks),
        "HOTA": np.sqrt(detection * association).mean(axis=-1),
        "AssA": association.mean(axis=-1),
        "MOTA": np.where(truth > 0, 1 - _ratio(misses + false + switches, truth), 0.0),
        "IDSW": switches,
    }


@dataclass(frozen=True)
class _Pairs:
    """Every pair of a person and a track that share a frame and overlap, one row each; people and tracks count from 0.

    `share` is a pair's IoU over what all overlaps of both amount to, HOTA's measure of how likely it is a match.
    """

    frame: np.ndarray  # place of the frame, from 0
    person: np.ndarray
    track: np.ndarray
    iou: np.ndarray
    share: np.ndarray
    people: list[np.ndarray]  # of each frame
    tracks: list[np.ndarray]
    person_frames: np.ndarray  # [num_people], in how many frames each is
    track_frames: np.ndarray  # [num_tracks]

    @classmethod
    def of(cls, comparison: Comparison) -> "_Pairs":
        (people, num_people), (tracks, num_tracks) = numbered(comparison.gt_ids), numbered(comparison.tracker_ids)
        found = [np.nonzero(similarities) for similarities in comparison.similarities]
        rivals = [s.sum(1)[rows] + s.sum(0)[columns] for s, (rows, columns) in zip(comparison.similarities, found, strict=True)]
        iou = np.concatenate([np.zeros(0), *(s[at] for s, at in zip(comparison.similarities, found, strict=True))])
        return cls(
            frame=np.repeat(np.arange(len(found)), [len(rows) for rows, _ in found]),
            person=_joined([ids[rows] for ids, (rows, _) in zip(people, found, strict=True)]),
            track=_joined([ids[columns] for ids, (_, columns) in zip(tracks, found, strict=True)]),
            iou=iou,
            share=iou / (np.concatenate([np.zeros(0), *rivals]) - iou),
            people=people,
            tracks=tracks,
            person_frames=np.bincount(_joined(people), minlength=num_people),
            track_frames=np.bincount(_joined(tracks), minlength=num_tracks),
        )

    def table(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of a value over the rows of each person and track, [num_people, num_tracks]."""
        shape = (len(self.person_frames), len(self.track_frames))
        flat = self.person * shape[1] + self.track
        return np.bincount(flat, values, minlength=shape[0] * shape[1]).reshape(shape)


def person_counts(comparison: Comparison) -> pd.DataFrame:
    """Return what each person adds to IDF1: track_id, truth (their boxes), tracks (those of their own track), IDTP."""
    pairs = _Pairs.of(comparison)
    own = _own_tracks(pairs)
    hits = pairs.person[_is_own(pairs)]
    return pd.DataFrame({
        "track_id": np.unique(_joined(comparison.gt_ids)),
        "truth": pairs.person_frames,
        "tracks": np.where(own >= 0, np.append(pairs.track_frames, 0)[own], 0),
        "IDTP": np.bincount(hits, minlength=len(own)),
    })  # fmt: skip


def _own_tracks(pairs: _Pairs) -> np.ndarray:
    """Return each person's own track when IDTP is largest, [num_people]; −1 = none."""
    overlap = pairs.iou >= MATCH_IOU
    together = pairs.table(overlap.astype(float))
    people, tracks = linear_sum_assignment(-together)
    own = np.full(len(pairs.person_frames), -1)
    own[people] = np.where(together[people, tracks] > 0, tracks, -1)
    return own


def _identity_matches(pairs: _Pairs, num_frames: int) -> np.ndarray:
    """Return IDTP of each frame."""
    return np.bincount(pairs.frame[_is_own(pairs)], minlength=num_frames)


def _is_own(pairs: _Pairs) -> np.ndarray:
    """Return, for each pair, whether the track is the person's own and lies on them."""
    return (pairs.iou >= MATCH_IOU) & (_own_tracks(pairs)[pairs.person] == pairs.track)


def _hota_matches(comparison: Comparison, pairs: _Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return TP and ΣA of each frame and threshold, both [num_frames, num_thresholds] (Luiten et al. 2021, section 5)."""
    frame, person, track, iou = _hota_assignment(comparison, pairs)
    passes = (iou[:, None] >= THRESHOLDS - _EPS).astype(float)
    couples, couple = np.unique(person * max(1, len(pairs.track_frames)) + track, return_inverse=True)
    people, tracks = np.divmod(couples, max(1, len(pairs.track_frames)))
    together = _sum_by(couple, passes, len(couples))
    apart = pairs.person_frames[people] + pairs.track_frames[tracks]
    association = together / np.maximum(1, apart[:, None] - together)
    num_frames = len(comparison.frames)
    return _sum_by(frame, passes, num_frames), _sum_by(frame, passes * association[couple], num_frames)


def _hota_assignment(comparison: Comparison, pairs: _Pairs) -> tuple[np.ndarray, ...]:
    """Return frame, person, track and IoU of HOTA's matches before any threshold, one row each."""
    potential = pairs.table(pairs.share)
    alignment = potential / np.maximum(1, pairs.person_frames[:, None] + pairs.track_frames - potential)
    found: list[tuple[np.ndarray, ...]] = []
    for place, (people, tracks, similarities) in enumerate(zip(pairs.people, pairs.tracks, comparison.similarities, strict=True)):
        if similarities.size:
            rows, columns = linear_sum_assignment(-alignment[np.ix_(people, tracks)] * similarities)
            found.append((np.full(len(rows), place), people[rows], tracks[columns], similarities[rows, columns]))
    return tuple(_joined([match[part] for match in found]) for part in range(3)) + (np.concatenate([np.zeros(0), *(m[3] for m in found)]),)


def _sum_by(group: np.ndarray, rows: np.ndarray, num_groups: int) -> np.ndarray:
    """Return the sums of the rows of each group, [num_groups, …]."""
    sums = np.zeros((num_groups, rows.shape[1]))
    np.add.at(sums, group, rows)
    return sums


def _joined(ids: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, int), *ids])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.maximum(1, whole)
