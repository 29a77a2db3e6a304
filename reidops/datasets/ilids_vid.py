"""The published layout of iLIDS-VID: `i-LIDS-VID/sequences/cam1/person001/cam1_person001_00317.png`.

It has 300 people in two cameras, and ten published splits, which are the protocols "0" … "9".
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from reidops.datasets.fetching import Archive
from reidops.datasets.reid_set import Listing, ReidSet
from reidops.datasets.tracklets import TwoCameras, check_tracklets, list_folders, list_two_cameras, read_rows
from reidops.errors import ReidopsError

# Protocol ("*" = each) → role → (people, tracklets).
PUBLISHED_COUNTS = {"*": {"train": (150, 300), "query": (150, 150), "gallery": (150, 150)}}

_SEQUENCES = "i-LIDS-VID/sequences"
_SPLITS = "train-test people splits/train_test_splits_ilidsvid.mat"
_LAYOUT = TwoCameras(
    cameras=(f"{_SEQUENCES}/cam1", f"{_SEQUENCES}/cam2"),
    file_name=re.compile(r"cam(?P<camera>\d)_person(?P<pid>\d{3})_(?P<frame>\d+)\.png"),
    example="cam1_person001_00317.png (camera, person, frame)",
)


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the folders and the file that each part reads."""
    return (*_LAYOUT.cameras, _SPLITS)


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the training people of the split, or query (camera 1) and gallery (camera 2) of its test people."""
    crops = list_two_cameras(folder, _LAYOUT, _people(folder, part, int(protocol or 0)), part)
    check_tracklets(crops)
    return crops, Counter({"crops": len(crops)})


def _people(folder: Path, part: str, split: int) -> list[str]:
    """Return the person folders of one part; the first half of a row of `ls_set`, which counts from 1, is tested."""
    names, other = (
        list_folders(folder / camera, "a folder for each person, person001 …") for camera in _LAYOUT.cameras
    )
    unpaired = sorted(set(names) ^ set(other))
    if unpaired:
        fault = f"{unpaired[0]} is in one camera only ({len(unpaired)} such folders)"
        raise ReidopsError(f"{folder / _SEQUENCES}: {fault}; unpack the set again")
    order = _order(folder / _SPLITS, split, len(names))
    half = len(order) // 2
    return [names[number - 1] for number in (order[half:] if part == "train" else order[:half])]


def _order(path: Path, split: int, num_people: int) -> np.ndarray:
    """Return one row of the published table, which must have each person folder once."""
    splits = read_rows(path, "ls_set", num_people)
    if split >= len(splits) or sorted(splits[split]) != list(range(1, num_people + 1)):
        fault = f"row {split + 1} of ls_set does not name each of the {num_people} person folders once"
        raise ReidopsError(f"{path}: {fault}; unpack the set again")
    return splits[split]


SET = ReidSet(
    name="iLIDS-VID",
    layout="ilids-vid",
    folder_names=("iLIDS-VID", "ilids-vid"),
    archive_names=("iLIDS-VID.tar",),
    list_part=list_part,
    reads=reads,
    protocols=tuple(str(split) for split in range(10)),
    ways=((Archive("iLIDS-VID.tar", ("http://www.eecs.qmul.ac.uk/~xiatian/iLIDS-VID/iLIDS-VID.tar",)),),),
    how_to_ask=(
        "iLIDS-VID is available on http://www.eecs.qmul.ac.uk/~xiatian/downloads_qmul_iLIDS-VID_ReID_dataset.html; "
        "unpack iLIDS-VID.tar"
    ),
)
