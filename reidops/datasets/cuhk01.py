"""The published layout of CUHK01: campus/`0001001.png` is person 1, picture 1.

Pictures 1 and 2 are from one camera, pictures 3 and 4 from the other.
"""

import re
from pathlib import Path

import pandas as pd

from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.datasets.two_views import PROTOCOLS, divide_people, match_name, with_splits

# All 971 people; two pictures of each person in each role.
PUBLISHED_COUNTS = {"*": {"train": (485, 1940), "query": (486, 972), "gallery": (486, 972)}}

_FOLDER = "campus"
_PER_CAMERA = 2
_FILE_NAME = re.compile(r"(?P<pid>\d{4})(?P<picture>00[1-4])\.png")
_EXAMPLE = "0001001.png (person, picture 1 … 4)"


def reads(part: str, protocol: str = PROTOCOLS[0]) -> tuple[str, ...]:
    """Return the folders and files that each part reads; both parts read all folders."""
    return with_splits((_FOLDER,), protocol)


def list_part(folder: Path, part: str, protocol: str = PROTOCOLS[0]) -> Listing:
    """Return the crops of one half of the people; `two_views` defines the halves."""
    return divide_people(folder, _list_pictures(folder / _FOLDER), part, protocol)


def _list_pictures(folder: Path) -> pd.DataFrame:
    rows = []
    for name in list_files(folder, (".png",), f"pictures named like {_EXAMPLE}"):
        match = match_name(folder / name, _FILE_NAME, _EXAMPLE)
        camera = (int(match["picture"]) - 1) // _PER_CAMERA + 1
        rows.append({"file": f"{folder}/{name}", "name": name, "published_pid": int(match["pid"]), "camera": camera})
    return crops_table(rows)


SET = ReidSet(
    name="CUHK01",
    layout="cuhk01",
    folder_names=("CUHK01", "cuhk01"),
    archive_names=("CUHK01.zip",),
    protocols=PROTOCOLS,
    list_part=list_part,
    reads=reads,
    how_to_ask=(
        "CUHK01 is available from its authors for academic use: request it on"
        " http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html and unpack CUHK01.zip"
    ),
)
