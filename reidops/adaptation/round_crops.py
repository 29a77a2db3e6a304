"""The crops that a round trains on: those of the tracklets, and labelled crops against forgetting."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reidops.embedding.images import CropReader
from reidops.training.sampling import IdentitySampler


class JoinedCrops:
    """The crops of two stores as one: first the rows of one, then chosen rows of the other."""

    def __init__(self, first: CropReader, num_first: int, second: CropReader, rows: np.ndarray) -> None:
        self._first, self._num_first, self._second, self._rows = first, num_first, second, rows

    def decode(self, i: int) -> np.ndarray:
        """Return the crop of row `i`, BGR uint8 [h, w, 3]."""
        if i < self._num_first:
            return self._first.decode(i)
        return self._second.decode(int(self._rows[i - self._num_first]))


@dataclass(frozen=True)
class SourceCrops:
    """Labelled crops [S]: their people, 0 … P − 1, and their cameras."""

    labels: np.ndarray
    camids: np.ndarray

    @classmethod
    def none(cls) -> "SourceCrops":
        """Return no crops."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64))


def add_source(labels: np.ndarray, source: SourceCrops, share: float, seed: int) -> np.ndarray:
    """Return the classes of the tracklets' crops [N] and of the labelled crops [S], [N + S]; −1 = does not train.

    People are drawn until their crops are at least `share` of all crops that train, or all people are drawn.
    """
    num_classes, num_wanted = labels.max(initial=-1) + 1, share / (1 - share) * (labels >= 0).sum()
    of_source = np.full(len(source.labels), -1)
    if len(source.labels) and share > 0:
        counts = np.bincount(source.labels)
        order = np.random.default_rng([seed, 1]).permutation(len(counts))
        drawn = order[: int(np.searchsorted(np.cumsum(counts[order]), num_wanted)) + 1]
        numbers = np.full(len(counts), -1)
        numbers[drawn] = num_classes + np.arange(len(drawn))
        of_source = numbers[source.labels]
    return np.concatenate([labels, of_source])


class RoundSampler(IdentitySampler):
    """P × K batches of the crops with a class; the classes are 0 … C − 1 and −1 (left out)."""

    def __init__(
        self, labels: np.ndarray, people_per_batch: int, crops_per_person: int, *, seed: int, camids: np.ndarray
    ) -> None:
        self._kept = np.flatnonzero(labels >= 0)
        kept = labels[self._kept]
        num_people = min(people_per_batch, len(np.unique(kept)))
        super().__init__(kept, num_people, crops_per_person, seed=seed, camids=camids[self._kept])

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the crops of each batch: positions in the labels, [P · K], grouped by class."""
        for batch in super().__iter__():
            yield self._kept[batch]
