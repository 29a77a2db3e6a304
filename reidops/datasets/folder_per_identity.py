"""One folder of crops per person, `root/<person>/*.jpg`, as deep_sort's training code has it; the folders have any
names.

The people may lie in `root/train`, `val`, `test`, `query` and `gallery` instead; a person's folder has the same name in
all of them. `val` trains where something else tests, and tests where nothing else does. What else lies in the root is
not read then.
"""

import os
from collections import Counter
from pathlib import Path

import pandas as pd

from reidops.datasets.own_sets import ONE_CROP, check_people, with_cameras, with_queries
from reidops.datasets.pictures import IMAGE_SUFFIXES, check_passed_over, passed_over
from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.datasets.tracklets import list_folders
from reidops.errors import ReidopsError

_SIDES = ("train", "val", "test", "query", "gallery")
_OF_SEQUENCES = ("seqinfo.ini", "gt", "det", "img1")  # in a folder of MOTChallenge
_ROOT = ""  # the side of people who lie in the root itself


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the whole folder: people are numbered over all of it, and its first level is what a user calls it."""
    return (".",)


def holds_people(folder: Path) -> bool:
    """Tell whether a folder looks like such a set: two person folders with an image each, in one of its sides."""
    return any(
        sum(_holds_image(person, deep=side != _ROOT) for person in _subfolders(folder / side)) >= 2
        for side in _sides(folder)
    )


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the people that train or are tested.

    Tested are query and gallery as they are; of any other side some crops of each person are drawn as queries.

    Raises:
        ReidopsError: there is no folder for the part, no person in it, or only one.
    """
    sides = _part_sides(folder, part)
    everybody = with_cameras(pd.concat([_list_side(folder, side) for side in _sides(folder)], ignore_index=True))
    crops = _numbered(everybody)
    crops = crops[crops["side"].isin(sides)].drop(columns=["side", "person"]).reset_index(drop=True)
    check_people(crops, f"{folder} ({part})")
    taken = Counter({"crops": len(crops)}) + _passed_over(folder, sides, len(crops))
    if part == "test" and sides != ("query", "gallery"):
        crops, taken[ONE_CROP] = with_queries(crops)
    return crops, taken


def _sides(folder: Path) -> tuple[str, ...]:
    return tuple(side for side in _SIDES if (folder / side).is_dir()) or (_ROOT,)


def _part_sides(folder: Path, part: str) -> tuple[str, ...]:
    """Return the sides that a part takes."""
    there = _sides(folder)
    if there == (_ROOT,):
        return there
    if part == "test":
        return _tested(folder, there)
    trained = ("train", "val") if {"test", "query", "gallery"} & set(there) else ("train",)
    if "train" not in there:
        raise ReidopsError(
            f"{folder}: holds {', '.join(there)}, but no train to learn from; a folder per person belongs there"
        )
    return tuple(side for side in trained if side in there)


def _tested(folder: Path, there: tuple[str, ...]) -> tuple[str, ...]:
    if {"query", "gallery"} & set(there):
        if not {"query", "gallery"} <= set(there):
            raise ReidopsError(f"{folder}: holds {', '.join(there)}; query and gallery belong together")
        return ("query", "gallery")
    found = [side for side in ("test", "val") if side in there]
    if not found:
        raise ReidopsError(
            f"{folder}: holds train only; people to test on belong in test, or in query and gallery, beside it"
        )
    return (found[0],)


def _list_side(folder: Path, side: str) -> pd.DataFrame:
    """Return the crops of one side, with its name and the person's; a name says its side, so that none is given
    twice.
    """
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
    """Return a person's pictures, relative to the folder; they may lie in folders below it, one per session or camera.

    Raises:
        ReidopsError: there is none.
    """
    pictures = sorted(name for name in _files_below(person) if name.lower().endswith(IMAGE_SUFFIXES))
    return pictures or list_files(person, IMAGE_SUFFIXES, "a person's crops")


def _files_below(folder: Path) -> list[str]:
    """Return the files in a folder and below it, but hidden ones, relative to it."""
    names = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(folder).as_posix()
        names += [f"{below}/{name}" if below != "." else name for name in files if not name.startswith(".")]
    return names


def _passed_over(folder: Path, sides: tuple[str, ...], num_read: int) -> Counter[str]:
    """Return how many pictures of the sides are not read for their suffix, as a count of the report.

    Raises:
        ReidopsError: they are more than a tenth.
    """
    people = [person for side in sides for person in _subfolders(folder / side)]
    others = sum((passed_over(_files_below(p), IMAGE_SUFFIXES) for p in people), Counter())
    check_passed_over(str(folder), others, num_read, IMAGE_SUFFIXES)
    return Counter({"pictures that are passed over (suffix)": others.total()} if others else {})


def _numbered(crops: pd.DataFrame) -> pd.DataFrame:
    """Return the crops with `published_pid`: the place of the person's folder among all of the set's in sorted
    order.
    """
    number = {person: pid for pid, person in enumerate(sorted(set(crops["person"])))}
    return crops.assign(published_pid=crops["person"].map(number))


def _subfolders(folder: Path) -> list[Path]:
    return (
        [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        if folder.is_dir()
        else []
    )


def _holds_image(folder: Path, *, deep: bool) -> bool:
    """Return whether a folder holds an image, or, where it may be divided (`deep`), a folder in it does; a sequence of
    frames is no person.
    """
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
