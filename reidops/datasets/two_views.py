"""Shared code of sets with two cameras per person, whose published metrics are means over ten random halves.

VIPeR, CUHK01 and PRID450S have no published split; protocol `3` is the fourth of ten fixed random halves. In
`3-reversed` the queries are from the second camera and the gallery is from the first. `splits-3` takes the people from
torchreid's `splits.json` in the folder of the set, to reproduce the metrics of models trained there.
"""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.reid_set import Listing, crops_table, list_files
from reidops.errors import ReidopsError

VIEWS = ("cam_a", "cam_b")  # cameras 1 and 2
SPLITS_FILE = "splits.json"
UNPAIRED = "no picture in the other view"

_NUM_SPLITS = 10
_LISTED, _REVERSED = "splits-", "-reversed"
PROTOCOLS = tuple(
    f"{source}{number}{direction}"
    for source in ("", _LISTED)
    for direction in ("", _REVERSED)
    for number in range(_NUM_SPLITS)
)


def with_splits(pictures: tuple[str, ...], protocol: str) -> tuple[str, ...]:
    """Return the files and folders of a protocol: those of the pictures, and the file of splits if it is used."""
    return (*pictures, SPLITS_FILE) if protocol.startswith(_LISTED) else pictures


def list_views(folder: Path, pattern: re.Pattern, suffix: str, example: str, *, prefix: str = "") -> pd.DataFrame:
    """Return all pictures of `cam_a` and `cam_b`.

    Args:
        folder: the folder of the set.
        pattern: a file name, with the group pid.
        suffix: file extension of the pictures.
        example: a valid file name for the error message.
        prefix: files with another prefix are not pictures of people.

    Raises:
        ReidopsError: a folder is missing or empty, or a file name is invalid.
    """
    rows = []
    for camera, view in enumerate(VIEWS, start=1):
        names = list_files(folder / view, (suffix,), f"pictures named like {example}")
        for name in (name for name in names if name.startswith(prefix)):
            pid = int(match_name(folder / view / name, pattern, example)["pid"])
            rows.append(
                {"file": f"{folder / view}/{name}", "name": f"{view}_{name}", "published_pid": pid, "camera": camera}
            )
    return crops_table(rows)


def match_name(path: Path, pattern: re.Pattern, example: str) -> re.Match:
    """Return the match of a file name; `example` is a valid name for the error message.

    Raises:
        ReidopsError: the name is invalid.
    """
    match = pattern.fullmatch(path.name)
    if match is None:
        raise ReidopsError(f"{path}: a file name of this set is like {example}; rename or remove the file")
    return match


def divide_people(folder: Path, crops: pd.DataFrame, part: str, protocol: str) -> Listing:
    """Return the crops of the training people, or query (one camera) and gallery (the other one) of the test people.

    People in only one camera have no match; they are left out, and counted in both parts.

    Raises:
        ReidopsError: no person is in both cameras, or the file of splits does not fit the set.
    """
    paired = crops[crops.groupby("published_pid")["camera"].transform("nunique") == len(VIEWS)]
    if paired.empty:
        raise ReidopsError(f"{folder}: no person has pictures of both cameras; unpack the data set again")
    number = int(protocol.removesuffix(_REVERSED).removeprefix(_LISTED))
    if protocol.startswith(_LISTED):
        training = _listed_people(folder / SPLITS_FILE, number, crops)
    else:
        training = random_half(sorted(set(paired["published_pid"])), number)
    chosen = paired[paired["published_pid"].isin(training) == (part == "train")].reset_index(drop=True)
    num_unpaired = len(crops) - len(paired)
    taken = Counter({"crops": len(chosen) + num_unpaired, UNPAIRED: num_unpaired})
    return (chosen if part == "train" else _with_roles(chosen, protocol.endswith(_REVERSED))), taken


def random_half(people: list[int], number: int) -> set[int]:
    """Return the training people, the smaller half: the first ones of `RandomState(number).permutation(people)`.

    NumPy guarantees the numbers of RandomState across versions, unlike those of newer generators. The split belongs to
    the protocol and does not depend on the seed in params.yaml.

    >>> sorted(random_half([1, 2, 3, 4, 5], number=0))
    [1, 3]
    """
    return set(np.random.RandomState(number).permutation(people)[: len(people) // 2].tolist())


def _with_roles(crops: pd.DataFrame, is_reversed: bool) -> pd.DataFrame:
    is_query = crops["camera"] == (2 if is_reversed else 1)
    return crops.assign(role=np.where(is_query, "query", "gallery")).astype({"role": crops["role"].dtype})


def _listed_people(path: Path, number: int, crops: pd.DataFrame) -> set[int]:
    """Return the training people of one of the ten splits in torchreid's file."""
    person = dict(zip(map(_tail, crops["file"]), crops["published_pid"].tolist(), strict=True))
    pictures = [_tail(picture) for picture in _read_train(path, number)]
    unknown = [picture for picture in pictures if picture not in person]
    if unknown:
        raise ReidopsError(
            f"{path}: split {number} trains on {unknown[0]}, which is not in {path.parent} ({len(unknown)} such "
            f"pictures); use the splits.json of this data set"
        )
    return {person[picture] for picture in pictures}


def _read_train(path: Path, number: int) -> list[str]:
    """Return the paths of the training pictures.

    A split is {"train": [[path, label, camera], …], "query": …, "gallery": …}; the file may list it once per direction.
    """
    try:
        splits = json.loads(path.read_text())
        return [picture for picture, *_ in splits[number * (len(splits) // _NUM_SPLITS)]["train"]]
    except OSError as error:
        raise ReidopsError(
            f"{path}: {error.strerror}; put torchreid's file there, or name a protocol without {_LISTED!r}"
        ) from None
    except (ValueError, TypeError, KeyError, IndexError):
        raise ReidopsError(
            f"{path}: is no list of ten or twenty splits with the pictures in `train`, as torchreid writes it"
        ) from None


def _tail(path: str) -> str:
    """Return the folder and name of a picture, which do not depend on the location of the set.

    >>> _tail("/home/me/viper/VIPeR/cam_a/000_45.bmp")
    'cam_a/000_45.bmp'
    """
    return "/".join(Path(path.replace("\\", "/")).parts[-2:])
