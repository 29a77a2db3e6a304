"""Compute distances between crops, and between crops and tracks, of people with known identities."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

MAX_CROPS_PER_CAMERA = 1500
EMA = 0.9  # weight of the previous average, as in StrongSORT and BoT-SORT


@dataclass(frozen=True)
class Crops:
    """Crops for the calibration: unit embeddings [n, dim] and their attributes [n]."""

    embeddings: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    frames: np.ndarray
    visibilities: np.ndarray
    heights: np.ndarray

    def __len__(self) -> int:
        return len(self.pids)

    def of(self, rows: np.ndarray) -> "Crops":
        """Return the crops in these rows."""
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
        """Return FNMR (the fraction of genuine distances above each threshold) and FMR (impostors at or below it)."""
        missed = 1 - self.genuine.searchsorted(thresholds, "right") / len(self.genuine)
        return missed, self.impostor.searchsorted(thresholds, "right") / len(self.impostor)

    @property
    def is_enough(self) -> bool:
        """Return whether there is at least one distance of each kind."""
        return len(self.genuine) > 0 and len(self.impostor) > 0


@dataclass(frozen=True)
class Pairs:
    """Pairs of crops, [num_pairs] each.

    `genuine` is true for two crops of one person. `gap` is in frames; `visibility` and `height` [px] are the smaller of
    the two crops' values.
    """

    distances: np.ndarray
    genuine: np.ndarray
    gap: np.ndarray
    visibility: np.ndarray
    height: np.ndarray

    def split(self, chosen: np.ndarray | None = None) -> Distances:
        """Return the genuine and impostor distances of the chosen pairs, or of all."""
        distances, genuine = (
            (self.distances, self.genuine) if chosen is None else (self.distances[chosen], self.genuine[chosen])
        )
        return Distances(np.sort(distances[genuine]), np.sort(distances[~genuine]))


def thinned_rows(crops: Crops, per_camera: int = MAX_CROPS_PER_CAMERA) -> np.ndarray:
    """Return the rows of at most `per_camera` crops of each camera, ascending, spread evenly over people and frames."""
    rows = [np.empty(0, np.int64)]
    for camid in np.unique(crops.camids):
        of_camera = np.flatnonzero(crops.camids == camid)
        of_camera = of_camera[np.lexsort((crops.frames[of_camera], crops.pids[of_camera]))]
        kept = min(per_camera, len(of_camera))
        rows.append(of_camera[np.linspace(0, len(of_camera) - 1, kept).round().astype(int)])
    return np.sort(np.concatenate(rows))


def as_one_camera(crops: Crops, min_gap: int) -> Crops:
    """Return the crops with one camid for all, and with frames at least `min_gap` apart."""
    return dataclasses.replace(
        crops, camids=np.zeros(len(crops), np.int64), frames=np.arange(len(crops)) * max(min_gap, 1)
    )


def pair_up(crops: Crops) -> Pairs:
    """Return all pairs of crops of the same camera."""
    pairs = [_pairs_of_camera(of_camera) for of_camera in crops.by_camera()] or [_pairs_of_camera(crops)]
    return Pairs(*(np.concatenate([getattr(one, name) for one in pairs]) for name in Pairs.__dataclass_fields__))


def nearest_distances(crops: Crops, min_gap: int) -> Distances:
    """Return the distances between crops and the nearest crop of a track, which is DeepSORT's appearance cost.

    A track consists of one person's crops of one camera. A crop is compared with its own track without the crops less
    than `min_gap` frames away, as if the person returned after that time.
    """
    return _joined([_nearest_of_camera(of_camera, min_gap) for of_camera in crops.by_camera()])


def moving_average_distances(crops: Crops, min_gap: int, compared: np.ndarray | None = None) -> Distances:
    """Return the distances between crops and the moving average of a track.

    This is StrongSORT's appearance cost and twice BoT-SORT's. A crop is compared with its own track as it was `min_gap`
    frames earlier, and with the other tracks as they were at their end.

    Args:
        compared: rows of the crops to compare; None = all. The averages always include all crops of a track.
    """
    is_compared = np.ones(len(crops), bool) if compared is None else np.isin(np.arange(len(crops)), compared)
    cameras = [np.flatnonzero(crops.camids == camid) for camid in np.unique(crops.camids)]
    return _joined([_averages_of_camera(crops.of(rows), min_gap, is_compared[rows]) for rows in cameras])


def moving_averages(embeddings: np.ndarray) -> np.ndarray:
    """Return the moving average of a track after each of its crops (StrongSORT, equation 1), unit rows [n, dim].

    Args:
        embeddings: one track's unit rows, ordered by time, [n, dim].
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
    """Return each crop's distance to the nearest crop of its track that is at least `min_gap` frames away."""
    apart = np.abs(frames[:, None] - frames) >= max(min_gap, 1)
    return np.where(apart, distances, np.inf)[apart.any(axis=1)].min(axis=1, initial=np.inf)


def _averages_of_camera(crops: Crops, min_gap: int, compared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.lexsort((crops.frames, crops.pids))
    crops, compared = crops.of(order), compared[order]
    people, starts = np.unique(crops.pids, return_index=True)
    genuine, ended = [], []
    for start, end in zip(starts, np.append(starts[1:], len(crops)), strict=True):
        averages = moving_averages(crops.embeddings[start:end])
        ended.append(averages[-1])
        genuine.append(
            _own_averages(crops.embeddings[start:end], averages, crops.frames[start:end], min_gap)[compared[start:end]]
        )
    own = np.concatenate(genuine)
    distances = 1 - crops.embeddings[compared] @ np.array(ended).T
    return own[~np.isnan(own)], distances[crops.pids[compared, None] != people]


def _own_averages(embeddings: np.ndarray, averages: np.ndarray, frames: np.ndarray, min_gap: int) -> np.ndarray:
    """Return each crop's distance to its track `min_gap` frames earlier, [n]; NaN before the track's start."""
    state = np.searchsorted(frames, frames - max(min_gap, 1), "right") - 1
    return np.where(state >= 0, 1 - (embeddings * averages[state]).sum(axis=1), np.nan)


def _joined(cameras: list[tuple[np.ndarray, np.ndarray]]) -> Distances:
    genuine, impostor = zip((np.empty(0, np.float32),) * 2, *cameras, strict=True)
    return Distances(np.sort(np.concatenate(genuine)), np.sort(np.concatenate(impostor)))
