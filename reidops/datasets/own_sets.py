"""Shared rules of the layouts for own data sets: queries, cameras from file names, minimum number of people."""

import re

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError

ONE_CROP = "people with one crop (gallery only)"
NAMED_BY_FOLDER = ("folder-per-identity", "file-list")  # layouts whose people are named by folders

_MOST_QUERIES = 4
_CAMERA = re.compile(r"_c(\d+)")


def with_cameras(crops: pd.DataFrame) -> pd.DataFrame:
    """Return the crops with the cameras of their file names (`_c2`, as in Market-1501).

    All crops get camera 0 unless every file name has a camera.
    """
    matches = [_CAMERA.search(file.rpartition("/")[2]) for file in crops["file"]]
    cameras = [int(match[1]) for match in matches if match is not None]
    return crops.assign(camera=cameras if len(cameras) == len(crops) else 0)


def with_queries(crops: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return the crops with their roles, and the number of people with a single crop.

    A quarter of a person's crops are queries, at least one and at most four, evenly spaced in the order of the files. A
    single crop is in the gallery.
    """
    role = pd.Series("gallery", index=crops.index, dtype="str")
    people = [person.index for _, person in crops.sort_values("file", kind="stable").groupby("published_pid")]
    for index in people:
        role[index[_evenly_spaced(len(index))]] = "query"
    return crops.assign(role=role), sum(len(index) == 1 for index in people)


def _evenly_spaced(num_crops: int) -> np.ndarray:
    """Return the positions of the queries among one person's crops.

    >>> _evenly_spaced(1).tolist(), _evenly_spaced(3).tolist(), _evenly_spaced(100).tolist()
    ([], [1], [12, 37, 62, 87])
    """
    number = min(max(num_crops // 4, 1), _MOST_QUERIES) if num_crops > 1 else 0
    return np.arange(1, 2 * number, 2) * num_crops // max(2 * number, 1)


def check_people(crops: pd.DataFrame, where: str) -> None:
    """Check that a set holds at least two people.

    Raises:
        ReidopsError: the set holds no person, or one person only.
    """
    num_people = crops["published_pid"].nunique()
    if num_people < 2:
        found = "one person only" if num_people else "no person"
        raise ReidopsError(f"{where}: holds {found}; ReID needs at least 2, add crops of other people")
