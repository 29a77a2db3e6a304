"""ReID as a tracker meets it: a person lost in one frame, looked for among everybody who is there some frames later.

A box of a person in frame f asks the boxes of frame f + gap of its scene. Its rank is one plus the number of other
boxes that lie at most as far away as the same person's: what a tracker cannot tell apart counts against it, so that
collapsed embeddings score nothing. rank1 is the share of queries at rank 1, MRR the mean of 1 / rank. Both are taken on
boxes of the ground truth, where only the model can err, and on a detector's, where boxes are displaced and some show
nobody: those ask nothing and stay in the gallery.
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
    """Boxes of one sequence: unit embeddings [n, dim], 1-based frames [n], who they show [n], NO_PERSON where nobody.

    A person has one box in a frame at most.
    """

    embeddings: np.ndarray
    frames: np.ndarray
    people: np.ndarray


@dataclass(frozen=True)
class Reassociation:
    """What became of the queries at one gap: the rank of each match and among how many boxes, [num_scored]; the others
    are counted.
    """

    gap: int
    ranks: np.ndarray
    num_candidates: np.ndarray
    num_unmatched: int

    def figures(self) -> dict[str, float | int]:
        """Return rank1 and MRR, beside those of a guess (NaN where no query has a match), and the counts."""
        known = len(self.ranks) > 0
        return {
            "gap": self.gap,
            "rank1": float((self.ranks == 1).mean()) if known else np.nan,
            "MRR": float((1 / self.ranks).mean()) if known else np.nan,
            "chance_rank1": float((1 / self.num_candidates).mean()) if known else np.nan,
            "chance_MRR": float(_guessed(self.num_candidates).mean()) if known else np.nan,
            "num_query": len(self.ranks) + self.num_unmatched,
            "num_unmatched_queries": self.num_unmatched,
        }


def reassociate(scenes: Iterable[SceneBoxes], gaps: Iterable[int] = GAPS) -> list[Reassociation]:
    """Return what becomes of every person's box at each gap, over all scenes; gaps longer than every scene have no
    queries.
    """
    gaps = tuple(gaps)
    parts = [_reassociate_scene(scene, gaps) for scene in scenes]
    return [_joined(of_gap) for of_gap in zip(*parts, strict=True)]


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
    """Return the ranks of the people of one frame in a later one, among how many boxes, and how many people are not
    there.
    """
    queries = now[scene.people[now] != NO_PERSON]
    same = scene.people[queries, None] == scene.people[later]
    matched = same.any(axis=1)
    similarities = scene.embeddings[queries[matched]] @ scene.embeddings[later].T
    own = similarities[same[matched]][:, None]
    ranks = (similarities >= own).sum(axis=1)  # the match itself is one of them
    return ranks, np.full(len(ranks), len(later)), int((~matched).sum())


def _joined(parts: Iterable[Reassociation]) -> Reassociation:
    parts = list(parts)
    ranks, candidates = (_concatenated([getattr(part, name) for part in parts]) for name in ("ranks", "num_candidates"))
    return Reassociation(parts[0].gap, ranks, candidates, sum(part.num_unmatched for part in parts))


def _guessed(num_candidates: np.ndarray) -> np.ndarray:
    """Return the expected 1 / rank among so many candidates in any order: the mean of 1, 1/2, …, 1/n."""
    harmonic = np.cumsum(1 / np.arange(1, num_candidates.max(initial=1) + 1))
    return harmonic[num_candidates - 1] / num_candidates


def _concatenated(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *parts])
