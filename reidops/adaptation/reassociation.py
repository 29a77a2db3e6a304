"""Measure without labels how well embeddings tell people apart: half of a tracklet finds its other half.

A tracklet is divided at the middle of its crops in time. The mean embeddings of all halves of one camera are ranked by
their similarity to each half; the other half of the same tracklet should be first.
"""

import math
from dataclasses import dataclass

import numpy as np

from reidops.adaptation.pooling import pool
from reidops.adaptation.tracklet_set import TrackletSet


@dataclass(frozen=True)
class Reassociation:
    """How often a half of a held-out tracklet finds the other half.

    Attributes:
        rank1: share of the halves whose nearest half is of the same tracklet.
        reciprocal_rank: mean of 1 / rank of the other half.
        error: standard error of `reciprocal_rank` over tracklets.
        num_tracklets: number of tracklets that were divided.
    """

    rank1: float = math.nan
    reciprocal_rank: float = math.nan
    error: float = math.nan
    num_tracklets: int = 0


def find_halves(tracklets: TrackletSet) -> np.ndarray:
    """Return the half of each crop: 2 · n and 2 · n + 1 of the n-th divided tracklet, -1 for all others, [N].

    Divided are the held-out tracklets with at least two crops in cameras where another such tracklet is.
    """
    able = tracklets.is_held_out & (tracklets.num_crops >= 2)
    in_camera = np.bincount(tracklets.cameras[able], minlength=tracklets.cameras.max(initial=-1) + 1)
    divided = np.flatnonzero(able & (in_camera[tracklets.cameras] >= 2))
    halves, frames = np.full(len(tracklets.of_crop), -1), tracklets.crops["frame"].to_numpy()
    for number, tracklet in enumerate(divided):
        own = np.flatnonzero(tracklets.of_crop == tracklet)
        own = own[np.argsort(frames[own], kind="stable")]
        halves[own] = 2 * number + (np.arange(len(own)) >= len(own) // 2)
    return halves


def num_divided(halves: np.ndarray) -> int:
    """Return the number of divided tracklets; halves are as `find_halves` returns them."""
    return int(halves.max(initial=-1) + 1) // 2


def measure_reassociation(embeddings: np.ndarray, tracklets: TrackletSet, halves: np.ndarray) -> Reassociation:
    """Return how well the halves of held-out tracklets find each other; without halves the figures are NaN.

    Args:
        embeddings: unit rows, float32 [N, dim].
        halves: as `find_halves` returns them, [N].
    """
    if halves.max(initial=-1) < 0:
        return Reassociation()
    pooled = pool(embeddings, halves)
    one_crop = np.unique(halves, return_index=True)[1][-len(pooled) :]
    cameras = tracklets.cameras[tracklets.of_crop[one_crop]]
    ranks = np.concatenate([_ranks(pooled[cameras == camera]) for camera in np.unique(cameras)])
    of_tracklet = (1 / ranks).reshape(-1, 2).mean(axis=1)
    error = of_tracklet.std(ddof=1) / math.sqrt(len(of_tracklet)) if len(of_tracklet) > 1 else math.nan
    return Reassociation(float((ranks == 1).mean()), float(of_tracklet.mean()), float(error), len(of_tracklet))


def _ranks(halves: np.ndarray) -> np.ndarray:
    """Return the rank of each half's other half among the halves of one camera, [2 n]; a tie counts as the worse."""
    products = halves @ halves.T
    np.fill_diagonal(products, -np.inf)
    own = products[np.arange(len(halves)), np.arange(len(halves)) ^ 1]
    return (products >= own[:, None]).sum(axis=1)
