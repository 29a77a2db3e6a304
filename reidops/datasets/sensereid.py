"""The published layout of SenseReID, a test set: test_probe, test_gallery; `00001_0000.jpg` is person and camera."""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.datasets.two_views import match_name
from reidops.errors import ReidopsError

PUBLISHED_COUNTS = {"*": {"query": (522, 1040), "gallery": (1717, 3388)}}

_ROLES = {"test_probe": "query", "test_gallery": "gallery"}
_FILE_NAME = re.compile(r"(?P<pid>\d+)_(?P<camera>\d+)\.jpg")
_EXAMPLE = "00001_0000.jpg (person, camera)"


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the folders that a part reads; there is no training part."""
    return tuple(_ROLES) if part == "test" else ()


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return query and gallery; most people of the gallery have no query.

    Raises:
        ReidopsError: `part` is train, a folder is missing or empty, or a file name is invalid.
    """
    if part == "train":
        raise ReidopsError(f"{folder}: SenseReID has no training people; name it in download.test only")
    crops = pd.concat([_list_folder(folder / name, role) for name, role in _ROLES.items()], ignore_index=True)
    return crops, Counter({"crops": len(crops)})


def _list_folder(folder: Path, role: str) -> pd.DataFrame:
    rows = []
    for name in list_files(folder, (".jpg",), f"pictures named like {_EXAMPLE}"):
        match = match_name(folder / name, _FILE_NAME, _EXAMPLE)
        # Probe and gallery pictures of a person may have the same name, so that the folder is added.
        rows.append(
            {
                "file": f"{folder}/{name}",
                "name": f"{folder.name}_{name}",
                "published_pid": int(match["pid"]),
                "camera": int(match["camera"]),
                "role": role,
            }
        )
    return crops_table(rows)


SET = ReidSet(
    name="SenseReID",
    layout="sensereid",
    folder_names=("SenseReID", "sensereid/SenseReID", "sensereid"),
    archive_names=("SenseReID.zip",),
    list_part=list_part,
    reads=reads,
    how_to_ask=(
        "SenseReID is on a drive, https://drive.google.com/file/d/0B56OfSrVI8hubVJLTzkwV2VaOWM/view:"
        " unpack SenseReID.zip"
    ),
)
