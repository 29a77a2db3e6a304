"""Appearance memories of tracks and their cosine distances to detections, vectorized over all tracks.

A memory has one row per track, in the order of `Tracks`. Embeddings are float32 unit vectors; a zero vector means "no
embedding".
"""

from typing import Protocol

import numpy as np

from reidops.errors import ReidopsError

# The largest cosine distance. A detection or a track without an embedding has this distance, so it passes no gate.
FARTHEST = 2.0

Rows = np.ndarray | list[int]


class Memory(Protocol):
    """The appearance memory of a tracker."""

    def __len__(self) -> int:
        """Return the number of tracks."""

    def append(self, num_tracks: int) -> None:
        """Append rows for new tracks without embeddings."""

    def keep(self, alive: np.ndarray) -> None:
        """Remove the tracks outside the mask [num_tracks]."""

    def add(self, rows: Rows, embeddings: np.ndarray) -> None:
        """Add one embedding to each track of `rows`, which must be unique, [num_rows, dim]; zero vectors are ignored.

        Raises:
            ReidopsError: the dimension differs from that of the stored embeddings.
        """

    def distances(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the cosine distance of each track to each embedding [n, dim], [num_tracks, n] in 0 … 2.

        The distance is `FARTHEST` if the track or the row has no embedding.

        Raises:
            ReidopsError: the dimension differs from that of the stored embeddings.
        """


class Gallery:
    """The last `budget` embeddings of each track; the distance is that of the nearest one (DeepSORT, section 2.2).

    All embeddings are stored in one pool, so one matrix product compares them with the detections of a frame. A table
    maps tracks to rows of the pool.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        # row 0 belongs to no track: empty entries of the table refer to it
        self._pool = np.zeros((1, 0), dtype=np.float32)
        self._free: list[int] = []
        self._end = 1  # rows from here on were never allocated; they are left out of the product
        self._places = np.zeros((0, budget), dtype=int)  # rows of the pool; 0 = empty
        self._num_added = np.zeros(0, dtype=int)

    def __len__(self) -> int:
        return len(self._places)

    def counts(self) -> np.ndarray:
        """Return how many embeddings each track has, [num_tracks]."""
        return np.minimum(self._num_added, self._budget)

    def append(self, num_tracks: int) -> None:
        """See `Memory`."""
        self._places = np.concatenate([self._places, np.zeros((num_tracks, self._budget), dtype=int)])
        self._num_added = np.concatenate([self._num_added, np.zeros(num_tracks, dtype=int)])

    def keep(self, alive: np.ndarray) -> None:
        """See `Memory`."""
        given_up = self._places[~alive]
        self._free += given_up[given_up > 0].tolist()
        self._places, self._num_added = self._places[alive], self._num_added[alive]
        if self._end > 1.5 * (np.count_nonzero(self._places) + 1):
            self._compact()

    def add(self, rows: Rows, embeddings: np.ndarray) -> None:
        """See `Memory`; when the budget is full, the newest embedding replaces the oldest."""
        known = embeddings.any(axis=1)
        rows, embeddings = np.asarray(rows, dtype=int)[known], embeddings[known]
        if not len(rows):
            return
        if self._pool.shape[1]:
            _check_dim(self._pool, embeddings)
        turns = self._num_added[rows] % self._budget
        places = self._places[rows, turns]
        places[places == 0] = self._take(int(np.sum(places == 0)), embeddings.shape[1])
        self._pool[places] = embeddings
        self._places[rows, turns] = places
        self._num_added[rows] += 1

    def distances(self, embeddings: np.ndarray) -> np.ndarray:
        """See `Memory`."""
        most = int(self.counts().max(initial=1))
        if not (self._pool.shape[1] and len(embeddings)):
            return np.full((len(self), len(embeddings)), FARTHEST)
        _check_dim(self._pool, embeddings)
        similarity = self._pool[: self._end] @ embeddings.T
        similarity[0] = 1 - FARTHEST
        similarity[:, ~embeddings.any(axis=1)] = 1 - FARTHEST
        return 1 - similarity[self._places[:, :most]].max(axis=1).astype(float)

    def _take(self, num_places: int, dim: int) -> list[int]:
        """Allocate rows of the pool; the pool grows by at least half if there are too few free rows."""
        missing = num_places - len(self._free)
        if missing > 0:
            size = len(self._pool)
            grown = np.zeros((size + max(missing, size // 2), dim), dtype=np.float32)
            grown[:size] = self._pool if self._pool.shape[1] else 0
            self._free += range(len(grown) - 1, size - 1, -1)
            self._pool = grown
        places = [self._free.pop() for _ in range(num_places)]
        self._end = max([self._end, *(place + 1 for place in places)])
        return places

    def _compact(self) -> None:
        """Release the rows of removed tracks."""
        held = self._places > 0
        self._pool = np.concatenate([np.zeros_like(self._pool[:1]), self._pool[self._places[held]]])
        self._places[held] = np.arange(1, len(self._pool))
        self._free, self._end = [], len(self._pool)


class Ema:
    """One unit vector per track: an exponential moving average of its embeddings (StrongSORT, section 3.2; BoT-SORT,
    equation 11).

    Args:
        alpha: weight of the previous average; the newest embedding has weight 1 − alpha.
    """

    def __init__(self, alpha: float = 0.9) -> None:
        self._alpha = alpha
        self._means = np.zeros((0, 0), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._means)

    def append(self, num_tracks: int) -> None:
        """See `Memory`."""
        self._means = np.concatenate([self._means, np.zeros((num_tracks, self._means.shape[1]), dtype=np.float32)])

    def keep(self, alive: np.ndarray) -> None:
        """See `Memory`."""
        self._means = self._means[alive]

    def add(self, rows: Rows, embeddings: np.ndarray, alphas: np.ndarray | None = None) -> None:
        """See `Memory`; the first embedding of a track is its first average.

        Args:
            alphas: [num_rows], used instead of `alpha` (Deep-OC-SORT, equation 4: detections of low confidence change
                the average little).
        """
        known = embeddings.any(axis=1)
        rows = np.asarray(rows, dtype=int)[known]
        if not len(rows):
            return
        if not self._means.shape[1]:
            self._means = np.zeros((len(self._means), embeddings.shape[1]), dtype=np.float32)
        _check_dim(self._means, embeddings)
        alphas = np.full(len(rows), self._alpha) if alphas is None else np.asarray(alphas, dtype=float)[known]
        alphas = np.where(self._means[rows].any(axis=1), alphas, 0)[:, None].astype(np.float32)
        means = alphas * self._means[rows] + (1 - alphas) * embeddings[known]
        self._means[rows] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)

    @property
    def means(self) -> np.ndarray:
        """The averages, unit rows [num_tracks, dim]; zeros for a track without embedding."""
        return self._means

    def is_known(self) -> np.ndarray:
        """Return which tracks have an average, bool [num_tracks]."""
        return np.asarray(self._means.any(axis=1))

    def distances(self, embeddings: np.ndarray) -> np.ndarray:
        """See `Memory`."""
        if not (self._means.shape[1] and len(embeddings)):
            return np.full((len(self), len(embeddings)), FARTHEST)
        _check_dim(self._means, embeddings)
        known = self._means.any(axis=1, keepdims=True) & embeddings.any(axis=1)
        return np.where(known, 1 - (self._means @ embeddings.T).astype(float), FARTHEST)


def _check_dim(remembered: np.ndarray, embeddings: np.ndarray) -> None:
    if remembered.shape[1] != embeddings.shape[1]:
        raise ReidopsError(
            f"embeddings of {embeddings.shape[1]} numbers, where the tracks are remembered by {remembered.shape[1]}:"
            " they are another model's; start a new tracker with a new model"
        )
