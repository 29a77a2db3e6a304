"""What a published ReID set is to the pipeline: where it lies, what each part reads, and its crops as a table.

Every set has a file of its own in this folder with one `SET`; `sets.py` lists them.
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

# One row per crop. `file` is the image file and `member` names the picture inside it where the file holds many (""
# where it holds one); `name` is the crop's file name, unique among its person's. `published_pid` is the set's own
# number of the person, `distractor` marks crops that match nobody. `camera` and `frame` are the set's own numbers, 0
# where it has none; `tracklet` is unique within the set, -1 where it holds single pictures. `role` is query or gallery,
# "" for training people.
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

Listing = tuple[pd.DataFrame, Counter]  # the crops (COLUMNS), and how many crops there were and each rule took


@dataclass(frozen=True)
class ReidSet:
    """A published set whose images are crops already.

    `list_part(folder, part, protocol)` returns the crops of `train` or `test`; `reads(part, protocol)` the files and
    folders, relative to the set's, that it reads. `protocols` are the published ones, the first is the default; ""
    where there is one. `folder_names` and `archive_names` are what it is called below download.local. `ways` are the
    archives that can be fetched, `how_to_ask` says where to get a set that cannot; `notice` is told to whoever uses the
    set. `also_reads` are folders that lie there in some editions of the set only.
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
    """Return the rows as a table of COLUMNS; what a row leaves out is as a set without it has it."""
    return pd.DataFrame([{**_DEFAULTS, **row} for row in rows], columns=list(COLUMNS)).astype(COLUMNS)


def list_files(folder: Path, suffixes: tuple[str, ...], expected: str) -> list[str]:
    """Return the names of the files of `folder` that end so (in any case), sorted; others (Thumbs.db) are not the
    set's.

    Raises:
        ReidopsError: the folder is missing or holds none of them (`expected` says what should be there), or more than a
            tenth of its pictures end otherwise.
    """
    listed = os.listdir(folder) if folder.is_dir() else []
    # ._0001.jpg is macOS's
    names = sorted(name for name in listed if name.lower().endswith(suffixes) and not name.startswith("."))
    if not names:
        fault = f"holds no {' or '.join(suffixes)}{_instead(listed)}" if folder.is_dir() else "no such folder"
        raise ReidopsError(f"{folder}: {fault}; expected {expected} there")
    check_passed_over(str(folder), passed_over(listed, suffixes), len(names), suffixes)
    return names


def _instead(listed: list[str]) -> str:
    """Return which suffixes a folder holds, with their numbers, as the end of a fault."""
    found = Counter(os.path.splitext(name)[1].lower() for name in listed if not name.startswith("."))
    return (
        f" but {', '.join(f'{number} of {suffix or chr(39) * 2}' for suffix, number in found.most_common(5))}"
        if found
        else ""
    )
