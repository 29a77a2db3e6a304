"""Tables of windows of a sequence that add up to those of the whole, so any set of windows can be scored.

A window is a run of consecutive frames. It stores its contribution to the tables behind the scores, not scores:

- the number of boxes of each person and of each track, and CLEAR's misses, false positives and switches;
- for each couple of a person and a track: the boxes with an IoU of at least one half (IDF1), and HOTA's matches at each
  threshold.

The tables of a set of windows are added. Identity and association are computed again from the sums: the one-to-one
assignment with the largest IDTP, and A = TPA / (TPA + FPA + FNA) of each couple. For all windows, once each, the
results are exactly TrackEval's scores. Only the matching of boxes within each frame, by CLEAR and by HOTA, is not
repeated: it hardly depends on the other frames.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.boxes.identities import MATCH_IOU
from reidops.tracking.evaluation.counts import THRESHOLDS, levels, on_own_track, own_tracks, reaching
from reidops.tracking.evaluation.identity_assignment import assign_identities
from reidops.tracking.evaluation.overlaps import Comparison, joined

PLAIN = ("truth", "tracks", "IDTP", "MISS", "FP", "SWITCH")
_TP = slice(len(PLAIN), len(PLAIN) + len(THRESHOLDS))
_A = slice(_TP.stop, _TP.stop + len(THRESHOLDS))
NUM_COUNTS = _A.stop
_AT_ONCE = 4_000_000  # largest number of table values in memory at a time

WINDOW_SCORES = ("IDF1", "HOTA", "AssA", "MOTA", "IDSW")


@dataclass(frozen=True)
class _Tables:
    """The fields that `WindowTables` and `FrameTables` share; their docstrings state the shapes."""

    errors: np.ndarray
    people: np.ndarray
    tracks: np.ndarray
    couples: np.ndarray
    overlaps: np.ndarray
    matches: np.ndarray

    def __len__(self) -> int:
        return len(self.errors)


class WindowTables(_Tables):
    """The contribution of each window of one sequence to the tables behind the scores.

    Attributes:
        errors: misses, false positives and switches, int [num_windows, 3].
        people: boxes of each person, int [num_windows, num_people].
        tracks: boxes of each track, int [num_windows, num_tracks].
        couples: person and track of each couple, int [num_couples, 2].
        overlaps: boxes of each couple with an IoU of at least one half, int [num_windows, num_couples].
        matches: HOTA's matches of each couple at each threshold, int [num_windows, num_couples, num_thresholds].
    """

    def counts(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the counts behind the scores of weighted sets of windows, float [num_sets, NUM_COUNTS].

        Counts of sequences are added to get those of the sequences together.

        Args:
            weights: how often each window counts, [num_sets, num_windows]; None = one set, each window once.
        """
        weights = np.ones((1, len(self))) if weights is None else weights.astype(float)
        size = max(1, len(self.couples) * len(THRESHOLDS))
        parts = np.array_split(weights, max(1, -(-len(weights) * size // _AT_ONCE)))
        return np.concatenate([np.zeros((0, NUM_COUNTS)), *(self._counts(part) for part in parts if len(part))])

    def _counts(self, weights: np.ndarray) -> np.ndarray:
        counts = np.zeros((len(weights), NUM_COUNTS))
        people, tracks = weights @ self.people, weights @ self.tracks
        counts[:, 0], counts[:, 1] = people.sum(axis=1), tracks.sum(axis=1)
        counts[:, 2] = self._identity_matches(weights @ self.overlaps)
        counts[:, 3:6] = weights @ self.errors
        matches = (weights @ self.matches.reshape(len(self), -1)).reshape(len(weights), -1, len(THRESHOLDS))
        boxes = people[:, self.couples[:, 0]] + tracks[:, self.couples[:, 1]]
        counts[:, _TP] = matches.sum(axis=1)
        counts[:, _A] = (matches**2 / np.maximum(1, boxes[..., None] - matches)).sum(axis=1)
        return counts

    def _identity_matches(self, together: np.ndarray) -> np.ndarray:
        """Return the IDTP of each set, from the boxes in common of each couple, [num_sets, num_couples]."""
        rows, columns = (np.unique(ids, return_inverse=True)[1] for ids in self.couples.T)
        table = np.zeros((rows.max(initial=-1) + 1, columns.max(initial=-1) + 1))
        found = np.zeros(len(together))
        for place, values in enumerate(together):
            table[rows, columns] = values
            found[place] = table[assign_identities(table)].sum()
        return found


class FrameTables(_Tables):
    """The tables of one sequence by frame, which windows of any length are made of; see `WindowTables`.

    Attributes:
        errors: misses, false positives and switches, int [num_frames, 3].
        people, tracks: frame and person (track) of each box, int [num_boxes, 2].
        couples: person and track of each couple, int [num_couples, 2].
        overlaps: frame and couple of each pair of boxes with an IoU of at least one half, int [n, 2].
        matches: frame, couple and number of thresholds reached of each of HOTA's matches, int [n, 3].
    """

    @classmethod
    def of(cls, comparison: Comparison) -> "FrameTables":
        """Return the tables of a comparison."""
        pairs = comparison.overlaps
        matched, overlapping = pairs.hota, np.flatnonzero(pairs.iou >= MATCH_IOU)
        num_tracks = max(1, len(pairs.track_frames))
        couple_of = pairs.person * num_tracks + pairs.track
        couples = np.unique(couple_of[np.concatenate([matched, overlapping])])
        at = [(pairs.frame[rows], np.searchsorted(couples, couple_of[rows])) for rows in (overlapping, matched)]
        frames = [np.repeat(np.arange(pairs.num_frames), counts) for counts in pairs.num_boxes]
        return cls(
            errors=_frame_errors(comparison),
            people=np.column_stack([frames[0], joined(pairs.people)]).astype(np.int32),
            tracks=np.column_stack([frames[1], joined(pairs.tracks)]).astype(np.int32),
            couples=np.column_stack(np.divmod(couples, num_tracks)).astype(np.int32),
            overlaps=np.column_stack(at[0]).astype(np.int32),
            matches=np.column_stack([*at[1], levels(pairs.iou[matched])]).astype(np.int32),
        )

    def windows(self, length: int) -> WindowTables:
        """Return the tables of consecutive windows of about `length` frames, of nearly equal length."""
        num_windows = max(1, round(len(self) / length))
        window = np.repeat(
            np.arange(num_windows), [len(part) for part in np.array_split(np.arange(len(self)), num_windows)]
        )

        def sums(rows: np.ndarray, size: int) -> np.ndarray:
            """Return how often each index occurs in each window, int [num_windows, size].

            Args:
                rows: frame and index below `size`, int [n, 2].
            """
            return np.bincount(window[rows[:, 0]] * size + rows[:, 1], minlength=num_windows * size).reshape(
                num_windows, size
            )

        num_levels, size = len(THRESHOLDS) + 1, len(self.couples)
        by_level = sums(
            np.column_stack([self.matches[:, 0], self.matches[:, 1] * num_levels + self.matches[:, 2]]),
            size * num_levels,
        )
        errors = np.zeros((num_windows, self.errors.shape[1]), int)
        np.add.at(errors, window, self.errors)
        return WindowTables(
            errors=errors,
            people=sums(self.people, self.people[:, 1].max(initial=-1) + 1),
            tracks=sums(self.tracks, self.tracks[:, 1].max(initial=-1) + 1),
            couples=self.couples,
            overlaps=sums(self.overlaps, size),
            matches=reaching(by_level, num_windows * size).reshape(num_windows, size, len(THRESHOLDS)),
        )

    def people_apart(self) -> WindowTables:
        """Return the tables with one row per person instead of per window.

        The last row holds the boxes of tracks without a person. A person's row holds the boxes of tracks that HOTA
        matches to them at its first threshold. It holds no errors.
        """
        whole = self.windows(len(self))
        (num_people, num_tracks), (person, track) = (whole.people.shape[1], whole.tracks.shape[1]), self.couples.T
        tracks = np.zeros((num_people + 1, num_tracks))
        np.add.at(tracks, (person, track), whole.matches[0, :, 0])
        tracks[-1] = whole.tracks[0] - tracks.sum(axis=0)

        def by_person(of_couples: np.ndarray) -> np.ndarray:
            """Return values of couples in the rows of their persons, zeros elsewhere.

            Args:
                of_couples: [num_couples, …]; the result is [num_people + 1, num_couples, …].
            """
            rows = np.zeros((num_people + 1, *of_couples.shape))
            rows[person, np.arange(len(self.couples))] = of_couples
            return rows

        people = np.vstack([np.diag(whole.people[0]), np.zeros((1, num_people))])
        return WindowTables(
            np.zeros((num_people + 1, 3)),
            people,
            tracks,
            self.couples,
            by_person(whole.overlaps[0]),
            by_person(whole.matches[0]),
        )


def _frame_errors(comparison: Comparison) -> np.ndarray:
    """Return CLEAR's misses, false positives and switches of each frame, int [num_frames, 3]."""
    pairs = comparison.overlaps
    found = pairs.clear
    frame = pairs.frame[found.rows]
    held, switches = (np.bincount(frames, minlength=pairs.num_frames) for frames in (frame, frame[found.switched]))
    people, tracks = pairs.num_boxes
    return np.column_stack([people - held, tracks - held, switches])


def window_scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores (WINDOW_SCORES) of sums of counts [..., NUM_COUNTS], each [...].

    A score is 0 without people, as in TrackEval.
    """
    truth, tracks, idtp, misses, false, switches = (sums[..., column] for column in range(len(PLAIN)))
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


def person_counts(comparison: Comparison) -> pd.DataFrame:
    """Return each person's contribution to IDF1: track_id, truth (boxes), tracks (own track's boxes), IDTP."""
    pairs = comparison.overlaps
    own = own_tracks(pairs)
    return pd.DataFrame(
        {
            "track_id": np.unique(np.concatenate([np.zeros(0, int), *comparison.gt_ids])),
            "truth": pairs.person_frames,
            "tracks": np.where(own >= 0, np.append(pairs.track_frames, 0)[own], 0),
            "IDTP": np.bincount(pairs.person[on_own_track(pairs)], minlength=len(own)),
        }
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.maximum(1, whole)
