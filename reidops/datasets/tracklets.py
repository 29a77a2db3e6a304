"""What the sets of tracklets share: folders of people and cameras, tables of numbers, one person and one camera per
tracklet.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.matlab import read_variables
from reidops.datasets.reid_set import crops_table, list_files
from reidops.datasets.two_views import match_name
from reidops.errors import ReidopsError


@dataclass(frozen=True)
class TwoCameras:
    """A set in which two cameras saw each person once: `<camera>/<person>/<picture>.png`, the person's number ends its
    folder's name.

    `cameras` are the cameras' folders, relative to the set's. `file_name` has the group frame, and camera and pid where
    the set says them again in each name; `example` is a file name and what its fields are, for the error message.
    """

    cameras: tuple[str, str]
    file_name: re.Pattern
    example: str


def list_folders(folder: Path, expected: str) -> list[str]:
    """Return the names of the folders in `folder`, sorted; hidden ones are not the set's.

    Raises:
        ReidopsError: the folder is missing or holds none; `expected` says what should be there.
    """
    paths = folder.iterdir() if folder.is_dir() else []
    names = sorted(path.name for path in paths if path.is_dir() and not path.name.startswith("."))
    if not names:
        fault = "holds no folder" if folder.is_dir() else "no such folder"
        raise ReidopsError(f"{folder}: {fault}; expected {expected} there")
    return names


def list_two_cameras(folder: Path, layout: TwoCameras, people: Iterable[str], part: str) -> pd.DataFrame:
    """Return the crops of the named people: for the part test the first camera asks and the second one answers.

    Raises:
        ReidopsError: a person's folder is missing or empty, or a file's name is not the set's.
    """
    roles, rows = ("query", "gallery") if part == "test" else ("", ""), []
    people = sorted(people)
    for camera, (name, role) in enumerate(zip(layout.cameras, roles, strict=True), 1):
        for person in people:
            rows += [{**row, "role": role} for row in _list_tracklet(folder / name / person, camera, layout)]
    return crops_table(rows)


def _list_tracklet(folder: Path, camera: int, layout: TwoCameras) -> list[dict]:
    """Return one person's pictures from one camera, in the order of their names, which is that of time."""
    pid = person_number(folder)
    return [
        {
            "file": f"{folder}/{name}",
            "name": f"{folder.parent.name}_{name}",
            "published_pid": pid,
            "camera": camera,
            "frame": _read_frame(folder / name, layout, pid, camera),
            "tracklet": 2 * pid + camera - 1,
        }
        for name in list_files(folder, (".png",), f"pictures named like {layout.example}")
    ]


def person_number(folder: Path) -> int:
    """Return the number that a person's folder is named with, 1 of person_0001.

    Raises:
        ReidopsError: the folder has no such name.
    """
    match = re.fullmatch(r"person_?(\d{3,4})", folder.name)
    if match is None:
        raise ReidopsError(f"{folder}: a person's folder of this set is like person_0001; rename or remove it")
    return int(match[1])


def _read_frame(path: Path, layout: TwoCameras, pid: int, camera: int) -> int:
    said = match_name(path, layout.file_name, layout.example).groupdict()
    if (int(said.get("pid", pid)), int(said.get("camera", camera))) != (pid, camera):
        raise ReidopsError(
            f"{path}: lies in the folder of person {pid}, camera {camera}, its name says another; move or remove the "
            f"file"
        )
    return int(said["frame"])


def read_rows(path: Path, name: str, num_columns: int) -> np.ndarray:
    """Return a table of whole numbers out of a .mat file, int64 [rows, num_columns].

    Raises:
        ReidopsError: the file is missing or is no .mat file, or what it holds under `name` is no such table.
    """
    values = read_variables(path, [name])[name]
    if values.dtype.kind not in "iuf" or values.size % num_columns:
        raise ReidopsError(
            f"{path}: {name} holds {values.size} values of type {values.dtype}, expected rows of {num_columns} numbers"
        )
    return values.astype(np.int64).reshape(-1, num_columns)


def check_tracklets(crops: pd.DataFrame) -> None:
    """Refuse a tracklet whose crops show several people or come from several cameras.

    Raises:
        ReidopsError: names the first crop that does not fit its tracklet's first one.
    """
    first = crops.groupby("tracklet")[["published_pid", "camera"]].transform("first")
    strange = ((crops["published_pid"] != first["published_pid"]) | (crops["camera"] != first["camera"])).to_numpy()
    if strange.any():
        row, fits = crops.iloc[strange.argmax()], first.iloc[strange.argmax()]
        raise ReidopsError(
            f"{row['file']}: shows person {row['published_pid']} in camera {row['camera']}, its tracklet begins with "
            f"person"
            f" {fits['published_pid']} in camera {fits['camera']}; a tracklet has one of each"
        )
