"""Sample batches of P people with K tracklets each, and some frames of each tracklet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from reidops.training.sampling import IdentitySampler

RUN_GAP = 100  # frames; a longer gap between two crops of a person in one camera begins another tracklet


@dataclass(frozen=True)
class TrackletPooling:
    """How a tracklet becomes one vector, in training and in the held-out scores.

    Attributes:
        frames: number of crops of a tracklet in a batch, and largest number in the held-out scores.
        sample: evenly = spread over the tracklet, random = drawn, in the order of time.
        pool: mean or max of the crops.
    """

    frames: int
    sample: Literal["evenly", "random"]
    pool: Literal["mean", "max"]

    def pool_unit(self, embeddings: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return the unit vector of each tracklet, float32 [num_tracklets, dim], as the stage evaluate_reid pools.

        Args:
            embeddings: unit rows of the crops, tracklet by tracklet, [N, dim].
            starts: the first row of each tracklet.
        """
        operation = np.maximum if self.pool == "max" else np.add
        pooled = operation.reduceat(embeddings, starts, axis=0)
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
        return (pooled / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)


def find_tracklets(crops: pd.DataFrame, frames: int) -> list[np.ndarray]:
    """Return the tracklets of the rows of a crops table, each as the positions of its crops in the order of time.

    Published tracklets stay as they are. In other sets, the crops of a person in one camera of one scene that are at
    most 100 frames apart are a run, which is cut into pieces of about `frames` crops. So a person with one track, as in
    MOT data, has several tracklets.

    Args:
        crops: rows of tables.CROPS, [N].
        frames: number of crops that are used of a tracklet.
    """
    keys = ["dataset", "pid", "camid", "scene", "tracklet"]
    ordered = crops.assign(place=np.arange(len(crops))).sort_values([*keys, "frame", "place"], kind="stable")
    is_published = (ordered["tracklet"] >= 0).to_numpy()
    is_new = (ordered[keys] != ordered[keys].shift()).any(axis=1).to_numpy()
    is_apart = (ordered["frame"].diff() > RUN_GAP).to_numpy() & ~is_published
    firsts = np.flatnonzero(is_new | is_apart)
    found: list[np.ndarray] = []
    for run in np.split(np.arange(len(ordered)), firsts[1:]):
        num_pieces = 1 if is_published[run[0]] else max(1, round(len(run) / frames))
        found += np.array_split(ordered["place"].to_numpy()[run], num_pieces)
    return found


class TrackletSampler:
    """Sample batches of P different people × K tracklets × T frames.

    The tracklets of an epoch are dealt as `IdentitySampler` deals crops. The frames of a tracklet depend only on the
    seed, the epoch, the batch and the place in the batch, so that a resumed training and one on several ranks have the
    same ones. A tracklet with fewer than T crops repeats some.
    """

    def __init__(
        self, tracklets: list[np.ndarray], sampler: IdentitySampler, pooling: TrackletPooling, seed: int
    ) -> None:
        """Create the sampler.

        Args:
            tracklets: the positions of each tracklet's crops, in the order of time.
            sampler: of the tracklets, with their people as labels.
        """
        self._tracklets, self._sampler, self._pooling, self._seed = tracklets, sampler, pooling, seed

    @property
    def epoch(self) -> int:
        """Return the epoch of the next batches."""
        return self._sampler.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        """Set the epoch of the next batches."""
        self._sampler.epoch = epoch

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return len(self._sampler)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield this rank's share of each batch: positions of crops, [P · K · T / num_ranks], tracklet by tracklet."""
        for number, (first, chosen) in enumerate(self._sampler.places()):
            yield np.concatenate(
                [self._frames(tracklet, (number, first + i)) for i, tracklet in enumerate(chosen.tolist())]
            )

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, which together with the seed determines the batches."""
        return self._sampler.state_dict()

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue with the epoch of `state`."""
        self._sampler.load_state_dict(state)

    def _frames(self, tracklet: int, place: tuple[int, int]) -> np.ndarray:
        """Return the positions of T crops of a tracklet; `place` is the batch and the place in it."""
        crops, number = self._tracklets[tracklet], self._pooling.frames
        if self._pooling.sample == "evenly":
            return spread(crops, number)
        rng = np.random.default_rng([self._seed, self.epoch, *place])
        whole = np.tile(np.arange(len(crops)), number // len(crops))
        drawn = rng.choice(len(crops), number % len(crops), replace=False)
        return crops[np.sort(np.concatenate([whole, drawn]))]


def spread(crops: np.ndarray, number: int) -> np.ndarray:
    """Return `number` evenly spaced crops of a tracklet; a short tracklet repeats some."""
    return crops[np.linspace(0, len(crops) - 1, number).round().astype(int)]
