"""Shared code of data sets with tracklets: folders of people and cameras, .mat tables and checks of tracklets."""

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
    """A set with one tracklet per person and camera: `<camera>/<person>/<picture>.png`.

    The name of a person's folder ends with its number. `cameras` are the folders of the cameras, relative to the set.
    `file_name` has the group frame, and the groups camera and pid if they are in the name; `example` is a file name
    with its fields for the error message.
    """

    cameras: tuple[str, str]
    file_name: re.Pattern
    example: str


def list_folders(folder: Path, expected: str) -> list[str]:
    """Return the sorted names of the folders in `folder`, without hidden ones.

    Raises:
        ReidopsError: the folder is missing or has none; `expected` describes them.
    """
    paths = folder.iterdir() if folder.is_dir() else []
    names = sorted(path.name for path in paths if path.is_dir() and not path.name.startswith("."))
    if not names:
        fault = "holds no folder" if folder.is_dir() else "no such folder"
        raise ReidopsError(f"{folder}: {fault}; expected {expected} there")
    return names


def list_two_cameras(folder: Path, layout: TwoCameras, people: Iterable[str], part: str) -> pd.DataFrame:
    """Return the crops of the named people; in the part test, camera 1 is the query and camera 2 the gallery.

    Raises:
        ReidopsError: a person's folder is missing or empty, or a file name is invalid.
    """
    roles, rows = ("query", "gallery") if part == "test" else ("", ""), []
    people = sorted(people)
    for camera, (name, role) in enumerate(zip(layout.cameras, roles, strict=True), 1):
        for person in people:
            rows += [{**row, "role": role} for row in _list_tracklet(folder / name / person, camera, layout)]
    return crops_table(rows)


def _list_tracklet(folder: Path, camera: int, layout: TwoCameras) -> list[dict]:
    """Return one person's pictures from one camera in the order of their names, which is that of time."""
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
    """Return the number in the name of a person's folder, 1 for person_0001.

    Raises:
        ReidopsError: the name is invalid.
    """
    match = re.fullmatch(r"person_?(\d{3,4})", folder.name)
    if match is None:
        raise ReidopsError(f"{folder}: a person's folder of this set is like person_0001; rename or remove it")
    return int(match[1])


def _read_frame(path: Path, layout: TwoCameras, pid: int, camera: int) -> int:
    fields = match_name(path, layout.file_name, layout.example).groupdict()
    if (int(fields.get("pid", pid)), int(fields.get("camera", camera))) != (pid, camera):
        raise ReidopsError(
            f"{path}: is in the folder of person {pid}, camera {camera}, but its name has another person or camera; "
            f"move or remove the file"
        )
    return int(fields["frame"])


def read_rows(path: Path, name: str, num_columns: int) -> np.ndarray:
    """Return the variable `name` of a .mat file as a table of whole numbers, int64 [rows, num_columns].

    Raises:
        ReidopsError: the file is missing or not a .mat file, or the variable is not such a table.
    """
    values = read_variables(path, [name])[name]
    if values.dtype.kind not in "iuf" or values.size % num_columns:
        raise ReidopsError(
            f"{path}: {name} holds {values.size} values of type {values.dtype}, expected rows of {num_columns} "
            f"numbers; copy the file again"
        )
    return values.astype(np.int64).reshape(-1, num_columns)


def check_tracklets(crops: pd.DataFrame) -> None:
    """Check that the crops of each tracklet have one person and one camera.

    Raises:
        ReidopsError: they do not; the message names the first crop that differs from the first one of its tracklet.
    """
    first = crops.groupby("tracklet")[["published_pid", "camera"]].transform("first")
    strange = ((crops["published_pid"] != first["published_pid"]) | (crops["camera"] != first["camera"])).to_numpy()
    if strange.any():
        row, fits = crops.iloc[strange.argmax()], first.iloc[strange.argmax()]
        raise ReidopsError(
            f"{row['file']}: shows person {row['published_pid']} in camera {row['camera']}, but its tracklet begins "
            f"with person {fits['published_pid']} in camera {fits['camera']}; unpack the data set again"
        )
