"""Description of a ReID set: its folders, the files of each part, and its crops as a table.

Every set has a separate file in this folder with one `SET`; `sets.py` lists them.
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reidops.datasets.fetching import Archive
from reidops.datasets.pictures import check_passed_over, passed_over
from reidops.errors import ReidopsError

# One row per crop. `file` is the image file; `member` is the name of the picture inside a file with many pictures, or
# "". `name` is the file name of the crop, unique among the crops of its person. `published_pid` is the person's number
# in the set; `distractor` marks crops without a match. `camera` and `frame` are the numbers of the set, 0 if it has
# none; `tracklet` is unique within the set, -1 for single pictures. `role` is query or gallery, "" for training people.
# Own sets also have `folder`, the name of the person's folder.
COLUMNS = {
    "file": "str",
    "member": "str",
    "name": "str",
    "published_pid": "int64",
    "distractor": "bool",
    "camera": "int64",
    "frame": "int64",
    "tracklet": "int64",
    "role": "str",
}
_DEFAULTS = {"member": "", "distractor": False, "camera": 0, "frame": 0, "tracklet": -1, "role": ""}

Listing = tuple[pd.DataFrame, Counter]  # the crops (COLUMNS), and the numbers of all crops and of those left out


@dataclass(frozen=True)
class ReidSet:
    """A data set whose images are crops.

    `list_part(folder, part, protocol)` returns the crops of `train` or `test`; `reads(part, protocol)` returns the
    files and folders that it reads, relative to the set. `protocols` are the published ones with the default
    first, "" for a single one. `folder_names` and `archive_names` are its names below download.local. `ways` are the
    alternative groups of archives that can be fetched; `how_to_ask` describes how to request a set. `notice` is logged
    when the set is used. `also_reads` are folders of some editions of the set.
    """

    name: str
    layout: str
    folder_names: tuple[str, ...]
    list_part: Callable[[Path, str, str], Listing]
    reads: Callable[[str, str], tuple[str, ...]]
    protocols: tuple[str, ...] = ("",)
    archive_names: tuple[str, ...] = ()
    ways: tuple[tuple[Archive, ...], ...] = ()
    how_to_ask: str = ""
    notice: str = ""
    also_reads: tuple[str, ...] = ()


def crops_table(rows: list[dict]) -> pd.DataFrame:
    """Return the rows as a table of COLUMNS; missing values get the defaults."""
    return pd.DataFrame([{**_DEFAULTS, **row} for row in rows], columns=list(COLUMNS)).astype(COLUMNS)


def list_files(folder: Path, suffixes: tuple[str, ...], expected: str) -> list[str]:
    """Return the sorted names of the files in `folder` with these suffixes, in upper or lower case.

    Raises:
        ReidopsError: the folder is missing or holds no such file (`expected` describes them), or more than a tenth of
            its pictures have other suffixes.
    """
    listed = os.listdir(folder) if folder.is_dir() else []
    # macOS writes hidden files like ._0001.jpg.
    names = sorted(name for name in listed if name.lower().endswith(suffixes) and not name.startswith("."))
    if not names:
        fault = f"holds no {' or '.join(suffixes)}{_instead(listed)}" if folder.is_dir() else "no such folder"
        raise ReidopsError(f"{folder}: {fault}; expected {expected} there")
    check_passed_over(str(folder), passed_over(listed, suffixes), len(names), suffixes)
    return names


def _instead(listed: list[str]) -> str:
    """Return the suffixes in a folder with their numbers, as the end of a message."""
    found = Counter(os.path.splitext(name)[1].lower() for name in listed if not name.startswith("."))
    return (
        f" but {', '.join(f'{number} of {suffix or chr(39) * 2}' for suffix, number in found.most_common(5))}"
        if found
        else ""
    )
