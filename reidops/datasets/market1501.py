"""The published layout of Market-1501: bounding_box_train, query, bounding_box_test; `0002_c1s1_000451_03.jpg`.

`list_like_market` reads any set in this layout with the file names of a regular expression.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.errors import ReidopsError

TRAIN_FOLDERS = ("bounding_box_train",)
TEST_FOLDERS = ("query", "bounding_box_test")

# Protocol → role → (people, crops); the gallery without junk, with background.
PUBLISHED_COUNTS = {"": {"train": (751, 12_936), "query": (750, 3_368), "gallery": (750, 15_913)}}

_JUNK, _BACKGROUND = -1, 0
_FILE_NAME = re.compile(r"(?P<pid>-1|\d{4})_c(?P<camera>\d+)s\d+_(?P<frame>\d+)_\d+\.jpg")
_EXAMPLE = "0002_c1s1_000451_03.jpg (person, camera, sequence, frame, box)"


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the folders that a part reads."""
    return TRAIN_FOLDERS if part == "train" else TEST_FOLDERS


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the published training people, or query and gallery, without junk (−1); background (0) is a distractor."""
    return list_like_market(folder, part, _FILE_NAME, _EXAMPLE)


def list_like_market(folder: Path, part: str, pattern: re.Pattern, example: str) -> Listing:
    """Return the crops of a set in Market-1501's layout.

    Args:
        pattern: of a file name, with the groups pid (−1 = junk, 0 = background), camera and frame.
        example: a file name and what its fields are, for the error message.

    Raises:
        ReidopsError: a folder is missing or empty, a file's name is not the set's, or a crop is in query and in
            gallery.
    """
    if part == "train":
        return _without_background(*_list_folder(folder / TRAIN_FOLDERS[0], "", pattern, example))
    (query, taken), (gallery, more) = (
        _list_folder(folder / name, role, pattern, example)
        for name, role in zip(TEST_FOLDERS, ("query", "gallery"), strict=True)
    )
    both = sorted(set(query["name"]) & set(gallery["name"]))
    if both:
        raise ReidopsError(
            f"{folder}: {both[0]} is in query and in bounding_box_test ({len(both)} such files); remove one of the two"
        )
    query, taken = _without_background(query, taken)
    return pd.concat([query, gallery], ignore_index=True), taken + more


def _list_folder(folder: Path, role: str, pattern: re.Pattern, example: str) -> Listing:
    names = list_files(folder, (".jpg",), f"crops named like {example}")
    crops = crops_table([{**_read_name(str(folder), name, pattern, example), "role": role} for name in names])
    junk = crops["published_pid"] == _JUNK
    return crops[~junk].reset_index(drop=True), Counter({"crops": len(crops), "junk (pid -1)": int(junk.sum())})


def _without_background(crops: pd.DataFrame, taken: Counter) -> Listing:
    background = crops["distractor"]
    return crops[~background].reset_index(drop=True), taken + Counter({"background (pid 0)": int(background.sum())})


def _read_name(folder: str, name: str, pattern: re.Pattern, example: str) -> dict:
    path, match = f"{folder}/{name}", pattern.fullmatch(name)
    if match is None:
        raise ReidopsError(f"{path}: a file name of this set is like {example}; rename or remove the file")
    pid = int(match["pid"])
    return {
        "file": path,
        "name": name,
        "published_pid": pid,
        "distractor": pid == _BACKGROUND,
        "camera": int(match["camera"]),
        "frame": int(match["frame"]),
    }


SET = ReidSet(
    name="Market-1501",
    layout="market1501",
    folder_names=("Market-1501-v15.09.15", "Market-1501"),
    archive_names=("Market-1501-v15.09.15.zip",),
    list_part=list_part,
    reads=reads,
    how_to_ask=(
        "Market-1501 is available from its authors for academic use: ask through the form on"
        " https://zheng-lab.cecs.anu.edu.au/Project/project_reid.html, unpack Market-1501-v15.09.15.zip"
    ),
)
