"""Constraints from tracking: tracklets of one camera that share a frame are different people."""

import numpy as np
import pandas as pd
from scipy import sparse


def find_rivals(tracklets: pd.DataFrame, videos: np.ndarray) -> np.ndarray:
    """Return all pairs of tracklets of one video that share a frame, int [P, 2], both orders of each pair, sorted.

    Args:
        tracklets: tables.TRACKLETS with T rows.
        videos: the video of each tracklet, [T].
    """
    first, last = (tracklets[name].to_numpy() for name in ("first_frame", "last_frame"))
    pairs = [_overlaps(np.flatnonzero(videos == video), first, last) for video in np.unique(videos)]
    found = np.concatenate([np.empty((0, 2), np.int64), *pairs])
    both = np.concatenate([found, found[:, ::-1]])
    return both[np.lexsort((both[:, 1], both[:, 0]))]


def _overlaps(own: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the pairs of overlapping intervals among the tracklets `own` of one video, [p, 2]."""
    own = own[np.argsort(first[own], kind="stable")]
    # A tracklet overlaps with those that begin after it and not after its last frame.
    stops = np.searchsorted(first[own], last[own], side="right")
    counts = np.maximum(stops - np.arange(len(own)) - 1, 0)
    earlier = np.repeat(np.arange(len(own)), counts)
    later = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + earlier + 1
    return np.column_stack([own[earlier], own[later]])


class Rivals:
    """The pairs of tracklets that are different people.

    Args:
        pairs: both orders of each pair, sorted, as `find_rivals` returns them, [P, 2].
        num_tracklets: T.
    """

    def __init__(self, pairs: np.ndarray, num_tracklets: int) -> None:
        self._keys = pairs[:, 0] * num_tracklets + pairs[:, 1]
        self._starts = np.searchsorted(pairs[:, 0], np.arange(num_tracklets + 1))
        self._others, self._num = pairs[:, 1], num_tracklets

    def __len__(self) -> int:
        """Return the number of unordered pairs."""
        return len(self._others) // 2

    def of(self, tracklet: int) -> np.ndarray:
        """Return the tracklets that are other people than this one, ascending."""
        return self._others[self._starts[tracklet] : self._starts[tracklet + 1]]

    def are_rivals(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return whether each pair of tracklets is in the list, bool [len(one)]."""
        if not len(self._keys):
            return np.zeros(len(one), bool)
        keys = one.astype(np.int64) * self._num + other
        return self._keys[np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)] == keys

    def between(self, of_unit: np.ndarray) -> sparse.csr_array:
        """Return ones for the pairs of units whose tracklets are rivals, [U, U]; `of_unit` is their tracklet, [U]."""
        pairs = np.column_stack([np.repeat(np.arange(self._num), np.diff(self._starts)), self._others])
        ones = np.ones(len(pairs), np.float32)
        of_tracklets = sparse.csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(self._num, self._num))
        return sparse.csr_array(of_tracklets[of_unit][:, of_unit])

    def without_rivals(self, graph: sparse.csr_array, of_unit: np.ndarray) -> sparse.csr_array:
        """Return a graph [U, U] without the edges between rivals; `of_unit` is the tracklet of each unit, [U]."""
        edges = graph.tocoo()
        kept = ~self.are_rivals(of_unit[edges.row], of_unit[edges.col])
        return sparse.csr_array((edges.data[kept], (edges.row[kept], edges.col[kept])), shape=graph.shape)


def split_rivals(
    labels: np.ndarray, of_unit: np.ndarray, rivals: Rivals, graph: sparse.csr_array
) -> tuple[np.ndarray, int]:
    """Split every cluster that holds two rivals, and return the new labels [U] and the number of split clusters.

    The nearest pairs of a cluster are joined first; a pair whose groups hold two rivals is not joined. Clusters without
    rivals keep their members. Labels are 0 … C − 1, and -1 stays -1.

    Args:
        labels: the cluster of each unit (crop or tracklet), -1 = none, [U].
        of_unit: the tracklet of each unit, [U].
        graph: symmetric distances of near units, [U, U].
    """
    edges = sparse.triu(graph, k=1).tocoo()
    inside = (labels[edges.row] == labels[edges.col]) & (labels[edges.row] >= 0)
    order = np.lexsort((edges.col[inside], edges.row[inside], edges.data[inside]))
    rows, columns = edges.row[inside][order], edges.col[inside][order]
    result, num_labels, num_split = labels.copy(), labels.max(initial=-1) + 1, 0
    for label in broken_clusters(labels, of_unit, rivals):
        own = labels[rows] == label
        members = np.flatnonzero(labels == label)
        groups = _join(members, of_unit, rivals, np.column_stack([rows[own], columns[own]]))
        num_split += 1
        for number, group in enumerate(groups[1:]):
            result[group] = num_labels + number
        num_labels += len(groups) - 1
    return result, num_split


def broken_clusters(labels: np.ndarray, of_unit: np.ndarray, rivals: Rivals) -> list[int]:
    """Return the clusters that hold two rivals, ascending."""
    broken = []
    order = np.argsort(labels, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        if len(members) and labels[members[0]] >= 0 and _hold_rivals({*of_unit[members].tolist()}, rivals):
            broken.append(int(labels[members[0]]))
    return broken


def _hold_rivals(tracklets: set[int], rivals: Rivals) -> bool:
    return any(not tracklets.isdisjoint(rivals.of(one).tolist()) for one in tracklets)


def _join(members: np.ndarray, of_unit: np.ndarray, rivals: Rivals, edges: np.ndarray) -> list[list[int]]:
    """Return groups of units without rivals, the largest first; `edges` [E, 2] are in ascending order of distance."""
    group_of = {unit: unit for unit in members.tolist()}
    units = {unit: [unit] for unit in group_of}
    tracklets = {unit: {int(of_unit[unit])} for unit in group_of}
    enemies = {unit: {*rivals.of(int(of_unit[unit])).tolist()} for unit in group_of}
    for one, other in edges.tolist():
        kept, joined = group_of[one], group_of[other]
        if kept == joined or not enemies[kept].isdisjoint(tracklets[joined]):
            continue
        if len(units[kept]) < len(units[joined]):
            kept, joined = joined, kept
        group_of.update(dict.fromkeys(units[joined], kept))
        units[kept] += units.pop(joined)
        tracklets[kept] |= tracklets.pop(joined)
        enemies[kept] |= enemies.pop(joined)
    return sorted((sorted(group) for group in units.values()), key=lambda group: (-len(group), group[0]))
