"""Who trains and who is tested: by half, by identity, by name, by scene; query and gallery by time.

Everything here works on arrays and tables of crops; nothing reads a file.
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
    """Return the train and the validation half of a sequence of `length` frames, as ByteTrack cuts it.

    Frames ≤ length // 2 + 1 train, the rest validates.

    >>> split_half(600)
    (FrameRange(first=1, last=301), FrameRange(first=302, last=600))
    """
    last_of_train = length // 2 + 1
    return FrameRange(1, last_of_train), FrameRange(last_of_train + 1, length)


def split_scenes(scenes: Sequence[str], num_folds: int, rng: np.random.Generator) -> list[list[str]]:
    """Return the scenes in `num_folds` folds of nearly equal number, so that no scene is on two sides."""
    shuffled = rng.permutation(sorted(set(scenes)))
    return [sorted(shuffled[fold::num_folds].tolist()) for fold in range(num_folds)]


def split_identities(people: pd.DataFrame, val_split: float, rng: np.random.Generator) -> np.ndarray:
    """Return which people validate, bool [num_people]: a random share of every scene.

    Args:
        people: one row per person with the columns `dataset`, `scene` and `person`; the order of the rows plays no
            part.
        val_split: share of the people, 0 … 1; at least one person where it is above 0.

    A person at place k of n in the shuffled order of its scene stands at (k + ½) / n; those who stand first validate,
    so that each scene gives its share and the total is right to one person.
    """
    ordered = people.sort_values(["dataset", "scene", "person"])
    standing = np.concatenate(
        [(rng.permutation(len(scene)) + 0.5) / len(scene) for _, scene in ordered.groupby(["dataset", "scene"])]
        or [np.empty(0)]
    )
    num_val = _num_val(len(people), val_split)
    chosen = ordered.index[np.argsort(standing, kind="stable")[:num_val]]
    return people.index.isin(chosen)


def split_by_name(people: pd.DataFrame, val_split: float) -> np.ndarray:
    """Return which people validate, bool [num_people]: mot2reid's way, all but the first int(n · (1 − val_split)) by
    name.

    On MOT17 that is in effect the last scene alone.
    """
    num_train = math.floor(len(people) * (1 - val_split) + 1e-9)  # 10 · (1 − .7) is 3, not 2.9999999999999996
    train = people["person"].sort_values().index[:num_train]
    return ~people.index.isin(train)


def split_query_gallery(frames: np.ndarray, *, gap: int, num_queries: int) -> np.ndarray:
    """Return `query`, `gallery` or `` (left out) for each crop of one person in one sequence, str [num_crops].

    Queries come from the beginning of the person's time, the gallery from at least `gap` frames after the last query,
    so that every query has matches and none of them is its neighbour in time. Half of the time beyond the gap is the
    queries'. A person whose time is shorter than the gap gets gallery only: a distractor.

    Args:
        frames: [num_crops], in any order.
        gap: frames, at least 1, between a query and any gallery crop of its person.
        num_queries: at most so many queries, evenly spaced.
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
    """Return the places of at most `most` of `num_crops` crops, a random sample, ascending."""
    if num_crops <= most:
        return np.arange(num_crops)
    return np.sort(rng.choice(num_crops, most, replace=False))


def _num_val(num_people: int, val_split: float) -> int:
    return 0 if val_split == 0 else max(1, round(num_people * val_split))
