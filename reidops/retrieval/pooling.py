"""Tracklets as one vector each: the mean or the largest values of the embeddings of some of their crops."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reidops.retrieval.test_sets import TestSet, side_labels

NUM_FRAMES = 15  # evenly spaced, of each tracklet


@dataclass(frozen=True)
class Tracklets:
    """The tracklets of test sets, crop by crop, and the one crop that stands for each; a set without tracklets has one
    for each crop.

    Attributes:
        rows: the crops that are looked at, as rows of the crops table, tracklet by tracklet, [num_rows].
        starts: where in `rows` each tracklet begins, [num_tracklets].
        standing: the row that stands for each tracklet, the one in its middle, [num_tracklets].
    """

    rows: np.ndarray
    starts: np.ndarray
    standing: np.ndarray

    def pool(self, embeddings: np.ndarray, how: str) -> np.ndarray:
        """Return the table's embeddings, [len(table), dim], each tracklet's pooled unit vector in the row that stands
        for it.

        Args:
            how: mean or max; anything else is the mean, too.
        """
        if len(self.rows) == len(self.standing):
            return embeddings
        whole, operation = embeddings.copy(), np.maximum if how == "max" else np.add
        pooled = operation.reduceat(embeddings[self.rows], self.starts, axis=0)
        whole[self.standing] = pooled / np.maximum(
            np.linalg.norm(pooled, axis=1, keepdims=True), np.finfo(np.float32).tiny
        )
        return whole


def find_tracklets(
    table: pd.DataFrame, tests: Sequence[TestSet], *, pooled: bool = True, num_frames: int = NUM_FRAMES
) -> tuple[list[TestSet], Tracklets]:
    """Return the test sets, those of tracklets with one row for each of them in place of its crops, and what is pooled.

    Of a tracklet longer than `num_frames` so many evenly spaced crops are looked at, of a shorter one all.

    Args:
        pooled: False leaves every crop alone.
    """
    found, parts = [], []
    for test in tests:
        is_pooled = pooled and has_tracklets(table, test)
        sides = {side: _sample(table, getattr(test, side), num_frames, is_pooled) for side in ("query", "gallery")}
        standing = {side: np.array([_middle(rows) for rows in tracklets]) for side, tracklets in sides.items()}
        query, gallery = standing["query"], standing["gallery"]
        labels = side_labels(table.iloc[query], table.iloc[gallery])
        found.append(replace(test, query=query, gallery=gallery, labels=labels))
        parts += [*sides["query"], *sides["gallery"]]
    starts = np.cumsum([0, *(len(rows) for rows in parts[:-1])])
    return found, Tracklets(np.concatenate(parts), starts, np.array([_middle(rows) for rows in parts]))


def has_tracklets(table: pd.DataFrame, test: TestSet) -> bool:
    """Tell whether every crop of a test set belongs to a tracklet."""
    return bool((table["tracklet"].to_numpy()[np.concatenate([test.query, test.gallery])] >= 0).all())


def _sample(table: pd.DataFrame, rows: np.ndarray, num_frames: int, pooled: bool) -> list[np.ndarray]:
    """Return the rows of each tracklet that are looked at, in the order of time; tracklets in the order of their
    numbers.
    """
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
