"""Split data into training, validation and test by half, identity, name or scene, and into query and gallery by time.

All functions work on arrays and tables; no file is read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class FrameRange:
    """Frames of a sequence, 1-based, both ends inclusive."""

    first: int
    last: int


def split_half(length: int) -> tuple[FrameRange, FrameRange]:
    """Return the training half and the validation half of a sequence of `length` frames, as in ByteTrack.

    Frames ≤ length // 2 + 1 are the training half.

    >>> split_half(600)
    (FrameRange(first=1, last=301), FrameRange(first=302, last=600))
    """
    last_of_train = length // 2 + 1
    return FrameRange(1, last_of_train), FrameRange(last_of_train + 1, length)


def split_scenes(scenes: Sequence[str], num_folds: int, rng: np.random.Generator) -> list[list[str]]:
    """Return the scenes in `num_folds` disjoint folds of nearly equal size."""
    shuffled = rng.permutation(sorted(set(scenes)))
    return [sorted(shuffled[fold::num_folds].tolist()) for fold in range(num_folds)]


def split_identities(people: pd.DataFrame, val_split: float, rng: np.random.Generator) -> np.ndarray:
    """Return the mask of the people in the validation split, bool [num_people]: a random share of every scene.

    The person at position k of n in the shuffled order of its scene gets the rank (k + ½) / n. People with the lowest
    ranks are chosen, so that each scene contributes its share and the total is exact to one person.

    Args:
        people: one row per person with the columns `dataset`, `scene` and `person`, in any order.
        val_split: share of the people, 0 … 1; at least one person if it is above 0.
    """
    ordered = people.sort_values(["dataset", "scene", "person"])
    rank = np.concatenate(
        [(rng.permutation(len(scene)) + 0.5) / len(scene) for _, scene in ordered.groupby(["dataset", "scene"])]
        or [np.empty(0)]
    )
    num_val = _num_val(len(people), val_split)
    chosen = ordered.index[np.argsort(rank, kind="stable")[:num_val]]
    return people.index.isin(chosen)


def split_by_name(people: pd.DataFrame, val_split: float) -> np.ndarray:
    """Return the mask of the people in the validation split, bool [num_people], as in mot2reid.

    These are all but the first int(n · (1 − val_split)) people by name. On MOT17 they are mostly those of the last
    scene.
    """
    num_train = math.floor(len(people) * (1 - val_split) + 1e-9)  # 10 · (1 − .7) is 3, not 2.9999999999999996
    train = people["person"].sort_values().index[:num_train]
    return ~people.index.isin(train)


def split_query_gallery(frames: np.ndarray, *, gap: int, num_queries: int) -> np.ndarray:
    """Return query, gallery or "" (left out) for each crop of one person in one sequence, str [num_crops].

    Queries are chosen from the first frames of the person, gallery crops from `gap` frames after the last query on, so
    that every query has matches at a minimum distance in time. Half of the time beyond the gap is used for queries. A
    person that is visible for less than the gap has gallery crops only and is a distractor.

    Args:
        frames: frame numbers [num_crops], in any order.
        gap: minimum number of frames between a query and a gallery crop of the person, at least 1.
        num_queries: maximum number of queries, which are evenly spaced.
    """
    roles = np.full(len(frames), "gallery", dtype="<U7")
    slack = int(frames.max() - frames.min()) - gap
    if slack < 0:
        return roles
    early = np.flatnonzero(frames <= frames.min() + slack // 2)
    early = early[np.argsort(frames[early], kind="stable")]
    queries = early[np.unique(np.linspace(0, len(early) - 1, num_queries).round().astype(int))]
    roles[frames < frames[queries].max() + gap] = ""
    roles[queries] = "query"
    return roles


def thin(num_crops: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return the ascending indices of a random sample of at most `most` of `num_crops` crops."""
    if num_crops <= most:
        return np.arange(num_crops)
    return np.sort(rng.choice(num_crops, most, replace=False))


def _num_val(num_people: int, val_split: float) -> int:
    return 0 if val_split == 0 else max(1, round(num_people * val_split))
