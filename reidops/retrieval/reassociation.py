"""Evaluate re-association: find a person of one frame among all boxes of a later frame of the same scene.

The queries are the people's boxes of frame f, the gallery are the boxes of frame f + gap. The rank of a match is one
plus the number of other boxes that are not farther away than the same person's box. Ties count against the model, so
collapsed embeddings score 0. rank1 is the fraction of queries at rank 1, MRR the mean of 1 / rank. Both are computed on
ground truth boxes and on detections. Detections are displaced, and some show no person; these are not queries but stay
in the gallery.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.boxes.identities import NO_PERSON

GAPS = (1, 2, 5, 10, 15, 30, 60, 90, 120, 150)  # frames
KINDS = ("annotations", "detections")
SCORES = ("rank1", "MRR", "chance_rank1", "chance_MRR", "num_query", "num_unmatched_queries")


@dataclass(frozen=True)
class SceneBoxes:
    """Boxes of one sequence: unit embeddings [n, dim], 1-based frames [n] and people [n] (NO_PERSON for no person).

    A person has at most one box per frame.
    """

    embeddings: np.ndarray
    frames: np.ndarray
    people: np.ndarray


@dataclass(frozen=True)
class Reassociation:
    """The results of the queries at one gap.

    `ranks` and `num_candidates` (the number of boxes in the later frame) are of the queries with a match, [num_scored];
    `num_unmatched` counts the others.
    """

    gap: int
    ranks: np.ndarray
    num_candidates: np.ndarray
    num_unmatched: int

    def figures(self) -> dict[str, float | int]:
        """Return rank1 and MRR, those of random guessing, and the counts; scores are NaN if no query has a match."""
        known = len(self.ranks) > 0
        return {
            "gap": self.gap,
            "rank1": float((self.ranks == 1).mean()) if known else np.nan,
            "MRR": float((1 / self.ranks).mean()) if known else np.nan,
            "chance_rank1": float((1 / self.num_candidates).mean()) if known else np.nan,
            "chance_MRR": float(_chance_mrr(self.num_candidates).mean()) if known else np.nan,
            "num_query": len(self.ranks) + self.num_unmatched,
            "num_unmatched_queries": self.num_unmatched,
        }


def reassociate(scenes: Iterable[SceneBoxes], gaps: Iterable[int] = GAPS) -> list[Reassociation]:
    """Return the results at each gap over all scenes; a gap longer than every scene has no queries."""
    gaps = tuple(gaps)
    by_scene = [_reassociate_scene(scene, gaps) for scene in scenes]
    return [_joined(of_gap) for of_gap in zip(*by_scene, strict=True)]


def tabulate(by_boxes: Mapping[str, Iterable[Reassociation]]) -> pd.DataFrame:
    """Return one row per kind of boxes and gap, with the columns boxes, gap and SCORES."""
    rows = [{"boxes": name, **of_gap.figures()} for name, found in by_boxes.items() for of_gap in found]
    return pd.DataFrame(rows, columns=["boxes", "gap", *SCORES])


def _reassociate_scene(scene: SceneBoxes, gaps: Iterable[int]) -> list[Reassociation]:
    rows = {int(frame): np.flatnonzero(scene.frames == frame) for frame in np.unique(scene.frames)}
    last = max(rows, default=0)
    found = []
    for gap in gaps:
        pairs = [
            _rank_frame(scene, rows[frame], rows.get(frame + gap, np.empty(0, int)))
            for frame in rows
            if frame + gap <= last
        ]
        ranks, candidates, unmatched = zip(*pairs, strict=True) if pairs else ((), (), ())
        found.append(Reassociation(gap, _concatenated(ranks), _concatenated(candidates), sum(unmatched)))
    return found


def _rank_frame(scene: SceneBoxes, now: np.ndarray, later: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the ranks of one frame's people in a later frame, the number of boxes there, and the unmatched people."""
    queries = now[scene.people[now] != NO_PERSON]
    same = scene.people[queries, None] == scene.people[later]
    matched = same.any(axis=1)
    similarities = scene.embeddings[queries[matched]] @ scene.embeddings[later].T
    own = similarities[same[matched]][:, None]
    ranks = (similarities >= own).sum(axis=1)  # includes the match itself
    return ranks, np.full(len(ranks), len(later)), int((~matched).sum())


def _joined(scenes: Iterable[Reassociation]) -> Reassociation:
    scenes = list(scenes)
    ranks, candidates = (
        _concatenated([getattr(scene, name) for scene in scenes]) for name in ("ranks", "num_candidates")
    )
    return Reassociation(scenes[0].gap, ranks, candidates, sum(scene.num_unmatched for scene in scenes))


def _chance_mrr(num_candidates: np.ndarray) -> np.ndarray:
    """Return the expected 1 / rank of a random order of n candidates: the mean of 1, 1/2, …, 1/n."""
    harmonic = np.cumsum(1 / np.arange(1, num_candidates.max(initial=1) + 1))
    return harmonic[num_candidates - 1] / num_candidates


def _concatenated(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *arrays])
