"""TrackEval's counts of one sequence, CLEAR, Identity and HOTA, from the sparse table of overlapping boxes.

Tests compare every field with TrackEval's own.
"""

from typing import Any

import numpy as np

from reidops.boxes.identities import EPS, MATCH_IOU
from reidops.tracking.evaluation.identity_assignment import assign_identities
from reidops.tracking.evaluation.overlaps import Overlaps

THRESHOLDS = np.arange(0.05, 0.99, 0.05)  # HOTA's


def clear_counts(overlaps: Overlaps) -> dict[str, Any]:
    """Return the fields of CLEAR that are summed over sequences."""
    num_people, num_tracks = (int(counts.sum()) for counts in overlaps.num_boxes)
    matches = overlaps.clear
    num_matches, person = len(matches.rows), overlaps.person[matches.rows]
    ratios = np.bincount(person, minlength=len(overlaps.person_frames)) / np.maximum(1, overlaps.person_frames)
    mostly, partly = int((ratios > 0.8).sum()), int((ratios >= 0.2).sum())
    return {
        "CLR_TP": num_matches,
        "CLR_FN": num_people - num_matches,
        "CLR_FP": num_tracks - num_matches,
        "IDSW": int(matches.switched.sum()),
        "MT": mostly,
        "PT": partly - mostly,
        "ML": len(ratios) - partly,
        "Frag": _num_fragments(overlaps),
        "CLR_Frames": overlaps.num_frames if num_people and num_tracks else 0,
        "MOTP_sum": float(overlaps.iou[matches.rows].sum()),
    }


def own_tracks(overlaps: Overlaps) -> np.ndarray:
    """Return each person's track in the assignment with the largest IDTP, int [num_people]; −1 = none."""
    together = overlaps.table((overlaps.iou >= MATCH_IOU).astype(float))
    people, tracks = assign_identities(together)
    own = np.full(len(overlaps.person_frames), -1)
    own[people] = np.where(together[people, tracks] > 0, tracks, -1)
    return own


def on_own_track(overlaps: Overlaps) -> np.ndarray:
    """Return, for each row of the overlaps, whether it counts for IDTP, bool [num_rows]."""
    return (overlaps.iou >= MATCH_IOU) & (own_tracks(overlaps)[overlaps.person] == overlaps.track)


def identity_counts(overlaps: Overlaps) -> dict[str, int]:
    """Return IDTP, IDFN and IDFP."""
    num_people, num_tracks = (int(counts.sum()) for counts in overlaps.num_boxes)
    idtp = int(on_own_track(overlaps).sum())
    return {"IDTP": idtp, "IDFN": num_people - idtp, "IDFP": num_tracks - idtp}


def levels(iou: np.ndarray) -> np.ndarray:
    """Return how many of HOTA's thresholds each IoU reaches, int of the same shape."""
    return np.searchsorted(THRESHOLDS - EPS, iou, "right")


def hota_counts(overlaps: Overlaps) -> dict[str, np.ndarray]:
    """Return the fields of HOTA that are combined over sequences, each [num_thresholds]."""
    rows = overlaps.hota
    num_people, num_tracks = (int(counts.sum()) for counts in overlaps.num_boxes)
    person, track, iou = overlaps.person[rows], overlaps.track[rows], overlaps.iou[rows]
    couples, couple = np.unique(person * max(1, len(overlaps.track_frames)) + track, return_inverse=True)
    people, tracks = np.divmod(couples, max(1, len(overlaps.track_frames)))
    level = levels(iou)
    together = reaching(
        np.bincount(couple * (len(THRESHOLDS) + 1) + level, minlength=len(couples) * (len(THRESHOLDS) + 1)),
        len(couples),
    )
    of_person, of_track = overlaps.person_frames[people][:, None], overlaps.track_frames[tracks][:, None]
    matches = together.sum(axis=0)
    located = np.cumsum(np.bincount(level, iou, minlength=len(THRESHOLDS) + 1)[::-1])[::-1][1:]

    def mean(of_couples: np.ndarray) -> np.ndarray:
        """Return the mean over matches, [num_thresholds], of values of couples of person and track.

        Args:
            of_couples: [num_couples, num_thresholds].
        """
        return (together * of_couples).sum(axis=0) / np.maximum(1, matches)

    return {
        "HOTA_TP": matches,
        "HOTA_FN": num_people - matches,
        "HOTA_FP": num_tracks - matches,
        "AssA": mean(together / np.maximum(1, of_person + of_track - together)),
        "AssRe": mean(together / of_person),
        "AssPr": mean(together / of_track),
        "LocA": np.maximum(1e-10, located) / np.maximum(1e-10, matches),
    }


def reaching(counts: np.ndarray, num_rows: int) -> np.ndarray:
    """Return the counts at each threshold, float [num_rows, num_thresholds].

    Args:
        counts: counts by the number of thresholds reached, [num_rows · (num_thresholds + 1)], row by row.
    """
    by_level = counts.reshape(num_rows, len(THRESHOLDS) + 1).astype(float)
    return np.cumsum(by_level[:, ::-1], axis=1)[:, ::-1][:, 1:]


def _num_fragments(overlaps: Overlaps) -> int:
    """Return how often a person was matched again after compared frames without a match."""
    rows = overlaps.clear.rows
    person = overlaps.person[rows]
    time = np.searchsorted(overlaps.compared_frames, overlaps.frame[rows])
    order = np.argsort(person, kind="stable")
    return int(((np.diff(person[order]) == 0) & (np.diff(time[order]) > 1)).sum())
