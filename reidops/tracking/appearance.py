"""What a track looked like: its last embeddings, and how far a detection is from them."""

from collections.abc import Sequence

import numpy as np

# The largest cosine distance there is; also that of a detection without an embedding, so that no gate lets it through.
FARTHEST = 2.0


class Gallery:
    """The last `budget` embeddings of one track (DeepSORT, section 2.2)."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._rows = np.zeros((0, 0), dtype=np.float32)
        self._num_added = 0

    def __len__(self) -> int:
        return min(self._num_added, self._budget)

    def add(self, embedding: np.ndarray) -> None:
        """Keep a unit vector [dim], in the place of the oldest when the budget is spent; a zero vector is not kept."""
        if not embedding.any():
            return
        if self._num_added == len(self._rows) < self._budget:
            self._rows = self._grown(len(embedding))
        self._rows[self._num_added % self._budget] = embedding
        self._num_added += 1

    def distances(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the least cosine distance of each unit vector [n, dim] to what is kept, [n] in 0 … 2."""
        if not len(self):
            return np.full(len(embeddings), FARTHEST)
        return 1 - (self._rows[: len(self)] @ embeddings.T).max(axis=0)

    def _grown(self, dim: int) -> np.ndarray:
        """Return the rows with room for twice as many, so that a track of three frames holds no memory for a hundred."""
        rows = np.zeros((min(self._budget, max(4, 2 * len(self._rows))), dim), dtype=np.float32)
        if self._num_added:
            rows[: len(self._rows)] = self._rows
        return rows


def appearance_distances(galleries: Sequence[Gallery], embeddings: np.ndarray) -> np.ndarray:
    """Return the cosine distance of each track's gallery to each embedding, [num_tracks, num_detections].

    An embedding of zeros, a detection that has none, is farthest from all.
    """
    if not galleries:
        return np.zeros((0, len(embeddings)))
    distances = np.stack([gallery.distances(embeddings) for gallery in galleries])
    return np.where(embeddings.any(axis=1), distances, FARTHEST)
