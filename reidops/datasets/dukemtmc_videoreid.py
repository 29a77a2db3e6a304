"""The published layout of DukeMTMC-VideoReID: `train/0001/0003/0001_C6_F0099_X30823.jpg` (person, tracklet, picture).

Cameras are 1 … 8. As in published evaluations, the gallery also holds the tracklets of the queries. For their own query
they are junk (same camera). It also holds 408 people without a query; `D` instead of `X` in a file name marks
distractors. Older copies have no underscores: `0001C6F0099X30823.jpg`.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from reidops.datasets import dukemtmc_reid
from reidops.datasets.fetching import Archive
from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.datasets.tracklets import check_tracklets, list_folders
from reidops.datasets.two_views import match_name
from reidops.errors import ReidopsError

# Protocol → role → (people, tracklets); the gallery's people count the distractors.
PUBLISHED_COUNTS = {"": {"train": (702, 2_196), "query": (702, 702), "gallery": (1_110, 2_636)}}

_FILE_NAME = re.compile(r"(?P<pid>\d{4})_?C(?P<camera>[1-8])_?F\d+_?(?P<kind>[XD])(?P<frame>\d+)\.jpg")
_EXAMPLE = "0001_C6_F0099_X30823.jpg (person, camera 1 … 8, number within the tracklet, frame of the video)"
# The set numbers the tracklets of each folder from 0; these offsets make the numbers unique.
_FIRST_TRACKLET = {"train": 0, "query": 100_000, "gallery": 200_000}


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the folders that a part reads."""
    return ("train",) if part == "train" else ("query", "gallery")


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the published training people, or query and gallery."""
    crops = pd.concat([_list_folder(folder, name) for name in reads(part)], ignore_index=True)
    check_tracklets(crops)
    return crops, Counter({"crops": len(crops)})


def _list_folder(folder: Path, split: str) -> pd.DataFrame:
    role, prefix = ("" if split == "train" else split), ("query_" if split == "query" else "")
    rows = []
    for tracklet, path in enumerate(_tracklet_folders(folder / split), _FIRST_TRACKLET[split]):
        for name in list_files(path, (".jpg",), f"pictures named like {_EXAMPLE}"):
            rows.append({**_read_name(path, name), "name": f"{prefix}{name}", "tracklet": tracklet, "role": role})
    return crops_table(rows)


def _tracklet_folders(folder: Path) -> list[Path]:
    people = [folder / person for person in list_folders(folder, "a folder for each person, 0001 …")]
    return [person / name for person in people for name in list_folders(person, "a folder for each tracklet, 0001 …")]


def _read_name(folder: Path, name: str) -> dict:
    path = folder / name
    match = match_name(path, _FILE_NAME, _EXAMPLE)
    if match["pid"] != folder.parent.name:
        there = f"is in the folder of person {folder.parent.name}"
        raise ReidopsError(f"{path}: {there}, but its name has {match['pid']}; move or remove the file")
    return {
        "file": str(path),
        "published_pid": int(match["pid"]),
        "distractor": match["kind"] == "D",
        "camera": int(match["camera"]),
        "frame": int(match["frame"]),
    }


SET = ReidSet(
    name="DukeMTMC-VideoReID",
    layout="dukemtmc-videoreid",
    folder_names=("DukeMTMC-VideoReID", "dukemtmc-vidreid/DukeMTMC-VideoReID", "dukemtmc-vidreid"),
    archive_names=("DukeMTMC-VideoReID.zip",),
    list_part=list_part,
    reads=reads,
    ways=(
        (Archive("DukeMTMC-VideoReID.zip", ("http://vision.cs.duke.edu/DukeMTMC/data/misc/DukeMTMC-VideoReID.zip",)),),
    ),
    how_to_ask="DukeMTMC-VideoReID is no longer available from its authors; unpack a copy that you may use, "
    "DukeMTMC-VideoReID.zip,",
    notice=dukemtmc_reid.SET.notice,
)
