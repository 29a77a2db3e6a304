"""The published layout of QMUL underground (GRID): probe, gallery, and ten partitions of 125 and 125 people in a .mat.

`0001_1_25004_107_32_106_221.jpeg` is person, camera, frame and box. The 775 gallery pictures of person 0 are
distractors.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.fetching import Archive
from reidops.datasets.matlab import read_variables
from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.datasets.two_views import UNPAIRED, match_name
from reidops.errors import ReidopsError

# The 775 distractors count as crops of the gallery, but not as people.
PUBLISHED_COUNTS = {"*": {"train": (125, 250), "query": (125, 125), "gallery": (125, 900)}}

PARTITIONS = "features_and_partitions.mat"
PROTOCOLS = tuple(str(number) for number in range(10))
_FOLDERS = ("probe", "gallery")
_NOBODY = 0
_FILE_NAME = re.compile(r"(?P<pid>\d{4})_(?P<camera>\d+)_(?P<frame>\d+)(_\d+)+\.jpeg")
_EXAMPLE = "0001_1_25004_107_32_106_221.jpeg (person, camera, frame, box)"


def reads(part: str, protocol: str = PROTOCOLS[0]) -> tuple[str, ...]:
    """Return the folders and files that each part reads; both parts read all folders."""
    return (*_FOLDERS, PARTITIONS)


def list_part(folder: Path, part: str, protocol: str = PROTOCOLS[0]) -> Listing:
    """Return both pictures of each training person, or probes as query and the other pictures as gallery.

    Person 0 is in every test gallery, as published. People with only a probe or only a gallery picture are left out and
    counted.

    Raises:
        ReidopsError: a file or folder is missing, a file name is invalid, or the .mat has no such partition.
    """
    crops = pd.concat([_list_folder(folder / name) for name in _FOLDERS], ignore_index=True)
    is_probe = crops["role"] == "query"
    distractors = crops["distractor"] & ~is_probe
    paired = crops["published_pid"].isin(
        set(crops.loc[is_probe, "published_pid"]) & set(crops.loc[~is_probe, "published_pid"]) - {_NOBODY}
    )
    trains = crops["published_pid"].isin(_training_people(folder / PARTITIONS, int(protocol)))
    chosen = crops[paired & trains].assign(role="") if part == "train" else crops[paired & ~trains | distractors]
    num_unpaired = int((~paired & ~distractors).sum())
    return chosen.reset_index(drop=True), Counter({"crops": len(chosen) + num_unpaired, UNPAIRED: num_unpaired})


def _list_folder(folder: Path) -> pd.DataFrame:
    rows = []
    for name in list_files(folder, (".jpeg",), f"pictures named like {_EXAMPLE}"):
        match = match_name(folder / name, _FILE_NAME, _EXAMPLE)
        rows.append(
            {
                "file": f"{folder}/{name}",
                "name": f"{folder.name}_{name}",
                "published_pid": int(match["pid"]),
                "distractor": int(match["pid"]) == _NOBODY,
                "camera": int(match["camera"]),
                "frame": int(match["frame"]),
                "role": "query" if folder.name == "probe" else "gallery",
            }
        )
    return crops_table(rows)


def _training_people(path: Path, number: int) -> set[int]:
    """Return the people of `trainIdxAll{number + 1}.personIdx`; the rest are tested."""
    cells = read_variables(path, ("trainIdxAll",))["trainIdxAll"]
    partition: np.ndarray = np.asarray(cells[number]) if number < len(cells) else np.empty(0)
    if "personIdx" not in (partition.dtype.names or ()):
        raise ReidopsError(
            f"{path}: trainIdxAll has no partition {number + 1} with a personIdx; expected ten of them, as published"
        )
    return set(np.hstack(list(partition["personIdx"].ravel())).astype(int).tolist())


SET = ReidSet(
    name="GRID",
    layout="grid",
    folder_names=("underground_reid", "GRID", "grid/underground_reid", "grid"),
    archive_names=("underground_reid.zip",),
    protocols=PROTOCOLS,
    list_part=list_part,
    reads=reads,
    ways=(
        (
            Archive(
                "underground_reid.zip", ("http://personal.ie.cuhk.edu.hk/~ccloy/files/datasets/underground_reid.zip",)
            ),
        ),
    ),
    how_to_ask=(
        "GRID is described on http://personal.ie.cuhk.edu.hk/~ccloy/downloads_qmul_underground_reid.html:"
        " unpack underground_reid.zip"
    ),
)
