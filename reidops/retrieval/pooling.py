"""Pool tracklets to one vector each: the mean or the maximum of the embeddings of some of their crops."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reidops.retrieval.ranking_sets import RankingSet, side_labels

NUM_FRAMES = 15  # evenly spaced crops per tracklet


@dataclass(frozen=True)
class Tracklets:
    """The tracklets of test sets; in a set without tracklets each crop is its own tracklet.

    Attributes:
        rows: the sampled crops, as rows of the crops table, tracklet by tracklet, [num_rows].
        starts: the index in `rows` of each tracklet's first crop, [num_tracklets].
        middles: the row of each tracklet's middle crop, which represents it, [num_tracklets].
    """

    rows: np.ndarray
    starts: np.ndarray
    middles: np.ndarray

    def pool(self, embeddings: np.ndarray, how: str) -> np.ndarray:
        """Return the embeddings of the table, [len(table), dim], with each tracklet's pooled vector in its middle row.

        Args:
            how: max, or the mean for any other value.
        """
        if len(self.rows) == len(self.middles):
            return embeddings
        whole, operation = embeddings.copy(), np.maximum if how == "max" else np.add
        pooled = operation.reduceat(embeddings[self.rows], self.starts, axis=0)
        whole[self.middles] = pooled / np.maximum(
            np.linalg.norm(pooled, axis=1, keepdims=True), np.finfo(np.float32).tiny
        )
        return whole


def find_tracklets(
    table: pd.DataFrame, tests: Sequence[RankingSet], *, pooled: bool = True, num_frames: int = NUM_FRAMES
) -> tuple[list[RankingSet], Tracklets]:
    """Return the test sets with one row per tracklet instead of one per crop, and the tracklets.

    Args:
        pooled: False keeps every crop.
        num_frames: maximum number of evenly spaced crops that are sampled from a tracklet.
    """
    found, sampled = [], []
    for test in tests:
        is_pooled = pooled and has_tracklets(table, test)
        sides = {side: _sample(table, getattr(test, side), num_frames, is_pooled) for side in ("query", "gallery")}
        middles = {side: np.array([_middle(rows) for rows in tracklets]) for side, tracklets in sides.items()}
        query, gallery = middles["query"], middles["gallery"]
        labels = side_labels(table.iloc[query], table.iloc[gallery])
        found.append(replace(test, query=query, gallery=gallery, labels=labels))
        sampled += [*sides["query"], *sides["gallery"]]
    starts = np.cumsum([0, *(len(rows) for rows in sampled[:-1])])
    return found, Tracklets(np.concatenate(sampled), starts, np.array([_middle(rows) for rows in sampled]))


def has_tracklets(table: pd.DataFrame, test: RankingSet) -> bool:
    """Return whether every crop of a test set belongs to a tracklet."""
    return bool((table["tracklet"].to_numpy()[np.concatenate([test.query, test.gallery])] >= 0).all())


def _sample(table: pd.DataFrame, rows: np.ndarray, num_frames: int, pooled: bool) -> list[np.ndarray]:
    """Return the sampled rows of each tracklet, ordered by time; tracklets are ordered by number."""
    if not pooled:
        return list(rows[:, None])
    tracklets, frames = table["tracklet"].to_numpy()[rows], table["frame"].to_numpy()[rows]
    order = np.lexsort((frames, tracklets))
    _, starts = np.unique(tracklets[order], return_index=True)
    return [_spaced(rows[of_tracklet], num_frames) for of_tracklet in np.split(order, starts[1:])]


def _middle(rows: np.ndarray) -> int:
    return int(rows[len(rows) // 2])


def _spaced(rows: np.ndarray, number: int) -> np.ndarray:
    if len(rows) <= number:
        return rows
    return rows[np.linspace(0, len(rows) - 1, number).round().astype(int)]
