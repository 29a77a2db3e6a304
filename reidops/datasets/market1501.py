"""Market-1501 as published: bounding_box_train, query, bounding_box_test; `0002_c1s1_000451_03.jpg`."""

import os
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from reidops.errors import ReidopsError

NAME = "Market-1501"
FOLDER_NAMES = ("Market-1501-v15.09.15", "Market-1501")
TRAIN_FOLDERS = ("bounding_box_train",)
TEST_FOLDERS = ("query", "bounding_box_test")
HOW_TO_ASK = (
    "Market-1501 is handed out by its authors for academic use: ask through the form on"
    " https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html, unpack Market-1501-v15.09.15.zip"
)

_JUNK, _BACKGROUND = -1, 0
_FILE_NAME = re.compile(r"(?P<pid>-1|\d{4})_c(?P<camera>\d+)s\d+_(?P<frame>\d+)_\d+\.jpg")


def list_crops(folder: Path) -> tuple[pd.DataFrame, Counter]:
    """Return the crops of one of the set's folders, sorted by file name, and how many each rule took.

    Columns: `file` (str), `published_pid` (0 = background, a distractor), `camera` (from 1), `frame`. Junk (−1) is left out.
    Files that are no .jpg (Thumbs.db) are not the set's.

    Raises:
        ReidopsError: the folder is missing or empty, or a file's name is not Market-1501's.
    """
    names = sorted(name for name in os.listdir(folder) if name.endswith(".jpg")) if folder.is_dir() else []
    if not names:
        raise ReidopsError(f"{folder}: {'holds no .jpg' if folder.is_dir() else 'no such folder'}; expected Market-1501's crops there")
    crops = pd.DataFrame([_read_name(str(folder), name) for name in names])
    junk = crops["published_pid"] == _JUNK
    return crops[~junk].reset_index(drop=True), Counter({"crops": len(crops), "junk (pid -1)": int(junk.sum())})


def list_train(folder: Path) -> tuple[pd.DataFrame, Counter]:
    """Return the crops of the published training people; `folder` is the set's."""
    crops, taken = list_crops(folder / TRAIN_FOLDERS[0])
    return _without_background(crops, taken)


def list_test(folder: Path) -> tuple[pd.DataFrame, Counter]:
    """Return the published query and gallery, told apart by the column `role`.

    Raises:
        ReidopsError: a crop is in both, so that a query would find itself.
    """
    query, gallery = (list_crops(folder / name) for name in TEST_FOLDERS)
    query_names, gallery_names = (set(crops["file"].str.rpartition("/")[2]) for crops, _ in (query, gallery))
    both = sorted(query_names & gallery_names)
    if both:
        raise ReidopsError(f"{folder}: {both[0]} is in query and in bounding_box_test ({len(both)} such files); remove one of the two")
    query_crops, taken = _without_background(*query)
    crops = pd.concat([query_crops.assign(role="query"), gallery[0].assign(role="gallery")], ignore_index=True)
    return crops, taken + gallery[1]


def _without_background(crops: pd.DataFrame, taken: Counter) -> tuple[pd.DataFrame, Counter]:
    background = crops["published_pid"] == _BACKGROUND
    return crops[~background].reset_index(drop=True), taken + Counter({"background (pid 0)": int(background.sum())})


def _read_name(folder: str, name: str) -> dict[str, str | int]:
    path, match = f"{folder}/{name}", _FILE_NAME.fullmatch(name)
    if match is None:
        raise ReidopsError(f"{path}: a Market-1501 file name is like 0002_c1s1_000451_03.jpg (person, camera, sequence, frame, box)")
    return {
        "file": path, "published_pid": int(match["pid"]), "camera": int(match["camera"]), "frame": int(match["frame"]),
    }  # fmt: skip
