"""Distances between crops, and between crops and tracks, of people whose identities are known: what a gate is fitted
on.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MAX_CROPS_PER_CAMERA = 1500
EMA = 0.9  # StrongSORT's and BoT-SORT's: share of what was remembered


@dataclass(frozen=True)
class Crops:
    """Crops to calibrate on, one row each: unit embeddings [n, dim], and what is known of them, [n]."""

    embeddings: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    frames: np.ndarray
    visibilities: np.ndarray
    heights: np.ndarray

    def __len__(self) -> int:
        return len(self.pids)

    def of(self, rows: np.ndarray) -> "Crops":
        """Return some of the crops."""
        return Crops(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def by_camera(self) -> Iterator["Crops"]:
        """Yield the crops of each camera."""
        for camid in np.unique(self.camids):
            yield self.of(np.flatnonzero(self.camids == camid))


@dataclass(frozen=True)
class Distances:
    """Genuine distances (one person) and impostor distances (two people), each ascending, 1 − cosine."""

    genuine: np.ndarray
    impostor: np.ndarray

    def error_rates(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return FNMR, the share of genuine distances above each threshold, and FMR, that of impostor ones at or below
        it.
        """
        missed = 1 - self.genuine.searchsorted(thresholds, "right") / len(self.genuine)
        return missed, self.impostor.searchsorted(thresholds, "right") / len(self.impostor)

    @property
    def is_enough(self) -> bool:
        """Return whether there are distances of both kinds at all."""
        return len(self.genuine) > 0 and len(self.impostor) > 0


@dataclass(frozen=True)
class Pairs:
    """Pairs of crops, [num_pairs]: their distance, whether they show one person, and the worse of their two
    conditions.
    """

    distances: np.ndarray
    genuine: np.ndarray
    gap: np.ndarray
    visibility: np.ndarray
    height: np.ndarray

    def split(self, chosen: np.ndarray | None = None) -> Distances:
        """Return the distances of the chosen pairs, or of all, by whether they show one person."""
        distances, genuine = (
            (self.distances, self.genuine) if chosen is None else (self.distances[chosen], self.genuine[chosen])
        )
        return Distances(np.sort(distances[genuine]), np.sort(distances[~genuine]))


def thinned_rows(crops: Crops, per_camera: int = MAX_CROPS_PER_CAMERA) -> np.ndarray:
    """Return the rows of at most so many crops of each camera, evenly spread over its people and their frames,
    ascending.
    """
    rows = [np.empty(0, np.int64)]
    for camid in np.unique(crops.camids):
        of_camera = np.flatnonzero(crops.camids == camid)
        of_camera = of_camera[np.lexsort((crops.frames[of_camera], crops.pids[of_camera]))]
        kept = min(per_camera, len(of_camera))
        rows.append(of_camera[np.linspace(0, len(of_camera) - 1, kept).round().astype(int)])
    return np.sort(np.concatenate(rows))


def as_one_camera(crops: Crops, min_gap: int) -> Crops:
    """Return the crops as if one camera had seen all of them, none too near to another in time."""
    return dataclasses.replace(
        crops, camids=np.zeros(len(crops), np.int64), frames=np.arange(len(crops)) * max(min_gap, 1)
    )


def pair_up(crops: Crops) -> Pairs:
    """Return all pairs of crops that one camera took."""
    # no crops, no pairs
    parts = [_pairs_of_camera(of_camera) for of_camera in crops.by_camera()] or [_pairs_of_camera(crops)]
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in Pairs.__dataclass_fields__))


def nearest_distances(crops: Crops, min_gap: int) -> Distances:
    """Return the distances between crops and the nearest crop of a track: DeepSORT's cost.

    A track is what one camera saw of one person. A crop meets its own track without itself and without what lies less
    than `min_gap` frames away, as if it came back after that time.
    """
    return _joined([_nearest_of_camera(of_camera, min_gap) for of_camera in crops.by_camera()])


def moving_average_distances(crops: Crops, min_gap: int, asked: np.ndarray | None = None) -> Distances:
    """Return the distances between crops and the moving average of a track: StrongSORT's cost, and twice BoT-SORT's.

    A crop meets its own track as it was `min_gap` frames earlier, and the tracks of others as they were when they
    ended.

    Args:
        asked: rows of the crops that are compared; None = all. The averages are of all crops of a track, in the order
            of time.
    """
    is_asked = np.ones(len(crops), bool) if asked is None else np.isin(np.arange(len(crops)), asked)
    cameras = [np.flatnonzero(crops.camids == camid) for camid in np.unique(crops.camids)]
    return _joined([_averages_of_camera(crops.of(rows), min_gap, is_asked[rows]) for rows in cameras])


def moving_averages(embeddings: np.ndarray) -> np.ndarray:
    """Return what a track remembers after each of its crops, unit rows [n, dim]: StrongSORT's equation 1, made unit
    each time.

    Args:
        embeddings: one track's unit rows in the order of time, [n, dim].
    """
    averages = np.empty_like(embeddings)
    average = embeddings[0]
    for place, embedding in enumerate(embeddings):
        average = EMA * average + (1 - EMA) * embedding
        average /= max(float(np.sqrt(average @ average)), np.finfo(np.float32).tiny)
        averages[place] = average
    return averages


def _pairs_of_camera(crops: Crops) -> Pairs:
    first, second = np.triu_indices(len(crops), k=1)
    similarities = (crops.embeddings @ crops.embeddings.T)[first, second]
    return Pairs(
        distances=1 - similarities,
        genuine=crops.pids[first] == crops.pids[second],
        gap=np.abs(crops.frames[first] - crops.frames[second]),
        visibility=np.minimum(crops.visibilities[first], crops.visibilities[second]),
        height=np.minimum(crops.heights[first], crops.heights[second]),
    )


def _nearest_of_camera(crops: Crops, min_gap: int) -> tuple[np.ndarray, np.ndarray]:
    crops = crops.of(np.argsort(crops.pids, kind="stable"))
    people, starts = np.unique(crops.pids, return_index=True)
    distances = 1 - crops.embeddings @ crops.embeddings.T
    nearest = np.minimum.reduceat(distances, starts, axis=1)
    ends = np.append(starts[1:], len(crops))
    genuine = [
        _nearest_of_track(distances[start:end, start:end], crops.frames[start:end], min_gap)
        for start, end in zip(starts, ends, strict=True)
    ]
    return np.concatenate(genuine), nearest[crops.pids[:, None] != people]


def _nearest_of_track(distances: np.ndarray, frames: np.ndarray, min_gap: int) -> np.ndarray:
    """Return each crop's distance to its track's nearest crop, leaving out what is too near in time."""
    apart = np.abs(frames[:, None] - frames) >= max(min_gap, 1)
    return np.where(apart, distances, np.inf)[apart.any(axis=1)].min(axis=1, initial=np.inf)


def _averages_of_camera(crops: Crops, min_gap: int, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((crops.frames, crops.pids))
    crops, asked = crops.of(order), asked[order]
    people, starts = np.unique(crops.pids, return_index=True)
    genuine, ended = [], []
    for start, end in zip(starts, np.append(starts[1:], len(crops)), strict=True):
        averages = moving_averages(crops.embeddings[start:end])
        ended.append(averages[-1])
        genuine.append(
            _own_averages(crops.embeddings[start:end], averages, crops.frames[start:end], min_gap)[asked[start:end]]
        )
    own = np.concatenate(genuine)
    distances = 1 - crops.embeddings[asked] @ np.array(ended).T
    return own[~np.isnan(own)], distances[crops.pids[asked, None] != people]


def _own_averages(embeddings: np.ndarray, averages: np.ndarray, frames: np.ndarray, min_gap: int) -> np.ndarray:
    """Return each crop's distance to its track as it was `min_gap` frames earlier, [n]; NaN where there was none
    yet.
    """
    state = np.searchsorted(frames, frames - max(min_gap, 1), "right") - 1
    return np.where(state >= 0, 1 - (embeddings * averages[state]).sum(axis=1), np.nan)


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> Distances:
    genuine, impostor = zip((np.empty(0, np.float32),) * 2, *parts, strict=True)
    return Distances(np.sort(np.concatenate(genuine)), np.sort(np.concatenate(impostor)))
