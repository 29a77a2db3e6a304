"""The layout of mmdetection: `imgs/<person>/000000.jpg` and the lists `meta/train_80.txt` and `meta/val_20.txt`, or
`meta/train.txt` and `meta/val.txt`.

A line of a list is `<person>/000000.jpg <label>`. Labels may start at 0 in each list, as those of mot2reid do; people
are identified by their folders, and the labels must agree within a list. The pipeline's own crops have this layout if
`crops.tar` is unpacked beside `meta`.
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from reidops.datasets.label_lists import read_list
from reidops.datasets.own_sets import ONE_CROP, check_people, with_cameras, with_queries
from reidops.datasets.reid_set import Listing, ReidSet, crops_table
from reidops.errors import ReidopsError

_TRAIN, _VAL = "train_*.txt", "val_*.txt"
_ALL, _PLAIN_VAL = "train.txt", "val.txt"


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the folders that each part reads; people are numbered over both lists."""
    return ("imgs", "meta")


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the crops of train_<n>.txt (or train.txt), or those of val_<n>.txt with queries of each person.

    Raises:
        ReidopsError: the list is missing, a line of it is wrong, an image is missing, or there is only one person.
    """
    path = _list_of(folder / "meta", part)
    lists = [found for found in (_found(folder / "meta", side) for side in ("train", "test")) if found]
    lines = pd.concat([_read_people(found).assign(list=found.name) for found in lists], ignore_index=True)
    crops = _as_crops(lines, folder)[lines["list"] == path.name].reset_index(drop=True)
    chosen = lines[lines["list"] == path.name]
    _check_labels(chosen, path)
    _check_images(chosen, folder, path)
    check_people(crops, str(path))
    taken = Counter({"crops": len(crops)})
    if part == "test":
        crops, taken[ONE_CROP] = with_queries(crops)
    return crops, taken


def _as_crops(lines: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Return one crop per line, with `folder`; `published_pid` is the position of the folder in sorted order."""
    number = {person: pid for pid, person in enumerate(sorted(set(lines["person"])))}
    rows = [
        {"file": f"{folder}/{path}", "name": path.rpartition("/")[2], "published_pid": number[person]}
        for path, person in zip(lines["path"], lines["person"], strict=True)
    ]
    return with_cameras(crops_table(rows)).assign(folder=lines["person"].to_numpy())


def _found(meta: Path, part: str) -> Path | None:
    """Return the list of a part, None if it is missing.

    Without train_<n>.txt and val_<n>.txt these are train.txt and val.txt. mot2reid's train.txt joins all lists.
    """
    paths = sorted(meta.glob(_TRAIN if part == "train" else _VAL))
    plain = meta / (_ALL if part == "train" else _PLAIN_VAL)
    if len(paths) == 1:
        return paths[0]
    return plain if plain.is_file() else None


def _list_of(meta: Path, part: str) -> Path:
    path = _found(meta, part)
    if path is None:
        there = ", ".join(sorted(found.name for found in meta.glob("*.txt"))) or "no list"
        wanted = "one train_<n>.txt, or train.txt" if part == "train" else "one val_<n>.txt, or val.txt"
        raise ReidopsError(f"{meta}: holds {there}; expected {wanted} to {part} on")
    return path


def _read_people(path: Path) -> pd.DataFrame:
    """Return path (below the set), label, person (the folder below imgs/) and line number of each line."""
    lines = read_list(path)
    texts = path.read_text(encoding="utf-8-sig").splitlines()
    person = [name.removeprefix("imgs/").rpartition("/")[0] for name in lines["path"]]
    return lines.assign(person=person, line=[number for number, text in enumerate(texts, 1) if text.strip()])


def _check_labels(lines: pd.DataFrame, path: Path) -> None:
    """Raise an error for a label of two people, a person with two labels, or an image that is listed twice."""
    for known, other, fault in (("label", "person", "label"), ("person", "label", "person")):
        first = lines.groupby(known)[other].transform("first")
        wrong = (lines[other] != first).to_numpy()
        if wrong.any():
            line = lines.iloc[wrong.argmax()]
            raise ReidopsError(
                f"{path}: line {line['line']}: {fault} {line[known]} was {first.iloc[wrong.argmax()]} before and is "
                f"{line[other]} here; use one label per person folder"
            )
    twice = lines["path"].duplicated().to_numpy()
    if twice.any():
        line = lines.iloc[twice.argmax()]
        raise ReidopsError(f"{path}: line {line['line']}: {line['path']} is listed twice; remove one of the lines")


def _check_images(lines: pd.DataFrame, folder: Path, path: Path) -> None:
    missing = [not (folder / name).is_file() for name in lines["path"]]
    if any(missing):
        line = lines.iloc[missing.index(True)]
        raise ReidopsError(
            f"{path}: line {line['line']}: {folder / line['path']} is missing ({sum(missing)} such images); add the "
            f"images or remove the lines"
        )


SET = ReidSet(
    name="file-list",
    layout="file-list",
    folder_names=("file-list",),
    list_part=list_part,
    reads=reads,
    how_to_ask="An own data set: put imgs/<person>/*.jpg, meta/train_<n>.txt and meta/val_<n>.txt in",
)
