"""The layout with one folder of crops per person, `root/<person>/*.jpg`; the folders have any names.

The folders may be in `root/train`, `val`, `test`, `query` and `gallery` instead, with the same name for a person in all
of them; other folders in the root are then ignored. `val` is used for training if there is a test folder, else for
test.

A set with people in the root that is used for training and for test is divided by its protocol: `identity:SHARE` tests
this share of the people, `images:SHARE` this share of each person's crops, the last by name. The latter is a closed
set: its people train.
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.own_sets import ONE_CROP, check_people, with_cameras, with_queries
from reidops.datasets.pictures import IMAGE_SUFFIXES, check_passed_over, passed_over
from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.datasets.tracklets import list_folders
from reidops.errors import ReidopsError
from reidops.mot.splits import split_identities
from reidops.parts import IMAGES

_SIDES = ("train", "val", "test", "query", "gallery")
_OF_SEQUENCES = ("seqinfo.ini", "gt", "det", "img1")  # files and folders of a MOTChallenge sequence
_ROOT = ""  # side of the people in the root itself


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the whole folder, because people are numbered over all of it and the names are free."""
    return (".",)


def holds_people(folder: Path) -> bool:
    """Return whether a folder has this layout: a side with at least two folders that hold an image."""
    return any(
        sum(_holds_image(person, deep=side != _ROOT) for person in _subfolders(folder / side)) >= 2
        for side in _sides(folder)
    )


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the crops of the training people, or query and gallery.

    Without folders query and gallery, some crops of each test person become queries.

    Args:
        protocol: identity:SHARE or images:SHARE divides the people in the root, "" does not.

    Raises:
        ReidopsError: there is no folder for the part, or it has fewer than two people.
    """
    sides = _part_sides(folder, part)
    everybody = with_cameras(pd.concat([_list_side(folder, side) for side in _sides(folder)], ignore_index=True))
    crops = _numbered(everybody)
    crops = crops[crops["side"].isin(sides) & _is_in_part(crops, part, protocol)]
    crops = crops.drop(columns="side").rename(columns={"person": "folder"})
    crops = crops.reset_index(drop=True)
    check_people(crops, f"{folder} ({part})")
    taken = Counter({"crops": len(crops)}) + _passed_over(folder, sides, len(crops))
    if part == "test" and sides != ("query", "gallery"):
        crops, taken[ONE_CROP] = with_queries(crops)
    return crops, taken


def has_sides(folder: Path) -> bool:
    """Return whether the people of a set are in train, val, test, query or gallery, and not in the root."""
    return _sides(folder) != (_ROOT,)


def _is_in_part(crops: pd.DataFrame, part: str, protocol: str) -> np.ndarray:
    """Return which crops are in a part of a set that is divided by people or by images, bool [N]."""
    how, _, share = protocol.partition(":")
    if not share:
        return np.ones(len(crops), bool)
    is_tested = _last_crops(crops, float(share)) if f"{how}:" == IMAGES else _tested_people(crops, float(share))
    return is_tested == (part == "test")


def _tested_people(crops: pd.DataFrame, share: float) -> np.ndarray:
    """Return which crops show a tested person; the people are drawn from a fixed seed."""
    people = pd.DataFrame({"dataset": "", "scene": "", "person": sorted(set(crops["person"]))})
    tested = people["person"][split_identities(people, share, np.random.default_rng(0))]
    return crops["person"].isin(tested).to_numpy()


def _last_crops(crops: pd.DataFrame, share: float) -> np.ndarray:
    """Return which crops are the last of their person by name; a person with one crop has none."""
    ordered = crops.sort_values(["person", "file"], kind="stable").groupby("person")
    place, number = ordered.cumcount(), crops.groupby("person")["file"].transform("size")
    num_tested = np.minimum(np.maximum((share * number).round(), 1), number - 1)
    return (place.reindex(crops.index) >= number - num_tested).to_numpy()


def _sides(folder: Path) -> tuple[str, ...]:
    return tuple(side for side in _SIDES if (folder / side).is_dir()) or (_ROOT,)


def _part_sides(folder: Path, part: str) -> tuple[str, ...]:
    """Return the sides that a part uses."""
    there = _sides(folder)
    if there == (_ROOT,):
        return there
    if part == "test":
        return _tested(folder, there)
    trained = ("train", "val") if {"test", "query", "gallery"} & set(there) else ("train",)
    if "train" not in there:
        raise ReidopsError(
            f"{folder}: holds {', '.join(there)}, but no train; put one folder per training person into {folder}/train"
        )
    return tuple(side for side in trained if side in there)


def _tested(folder: Path, there: tuple[str, ...]) -> tuple[str, ...]:
    if {"query", "gallery"} & set(there):
        if not {"query", "gallery"} <= set(there):
            raise ReidopsError(f"{folder}: holds {', '.join(there)}; add the missing one of query and gallery")
        return ("query", "gallery")
    found = [side for side in ("test", "val") if side in there]
    if not found:
        raise ReidopsError(f"{folder}: holds train only; put test people into {folder}/test, or into query and gallery")
    return (found[0],)


def _list_side(folder: Path, side: str) -> pd.DataFrame:
    """Return the crops of one side with the columns side and person; crop names have the side as a prefix."""
    role, prefix = side if side in ("query", "gallery") else "", f"{side}_" if side else ""
    rows, people = [], []
    for person in list_folders(folder / side, "a folder of crops for each person"):
        for name in _pictures_below(folder / side / person):
            rows.append(
                {
                    "file": str(folder / side / person / name),
                    "name": f"{prefix}{name.replace('/', '_')}",
                    "published_pid": -1,
                    "role": role,
                }
            )
            people.append(person)
    return crops_table(rows).assign(side=side, person=people)


def _pictures_below(person: Path) -> list[str]:
    """Return a person's pictures, relative to the folder, including those in subfolders.

    Raises:
        ReidopsError: there are none.
    """
    pictures = sorted(name for name in _files_below(person) if name.lower().endswith(IMAGE_SUFFIXES))
    return pictures or list_files(person, IMAGE_SUFFIXES, "a person's crops")


def _files_below(folder: Path) -> list[str]:
    """Return the files in a folder and its subfolders, without hidden ones, relative to it."""
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(folder).as_posix()
        names += [f"{below}/{name}" if below != "." else name for name in files if not name.startswith(".")]
    return names


def _passed_over(folder: Path, sides: tuple[str, ...], num_read: int) -> Counter[str]:
    """Return the number of pictures that are not read because of their suffix, as a count of the report.

    Raises:
        ReidopsError: these are more than a tenth.
    """
    people = [person for side in sides for person in _subfolders(folder / side)]
    others = sum((passed_over(_files_below(p), IMAGE_SUFFIXES) for p in people), Counter())
    check_passed_over(str(folder), others, num_read, IMAGE_SUFFIXES)
    return Counter({"pictures that are passed over (suffix)": others.total()} if others else {})


def _numbered(crops: pd.DataFrame) -> pd.DataFrame:
    """Return the crops with `published_pid`, the position of the person's folder in sorted order over the whole set."""
    number = {person: pid for pid, person in enumerate(sorted(set(crops["person"])))}
    return crops.assign(published_pid=crops["person"].map(number))


def _subfolders(folder: Path) -> list[Path]:
    return (
        [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        if folder.is_dir()
        else []
    )


def _holds_image(folder: Path, *, deep: bool) -> bool:
    """Return whether a folder (with `deep`: or a subfolder) holds an image; a folder of a sequence does not count."""
    if any((folder / name).exists() for name in _OF_SEQUENCES):
        return False
    places = (folder, *(_subfolders(folder) if deep else ()))
    return any(path.name.lower().endswith(IMAGE_SUFFIXES) for place in places for path in place.iterdir())


SET = ReidSet(
    name="folder-per-identity",
    layout="folder-per-identity",
    folder_names=("folder-per-identity",),
    list_part=list_part,
    reads=reads,
    how_to_ask="An own data set: put one folder of crops per person in",
)
