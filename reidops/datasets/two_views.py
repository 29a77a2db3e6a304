"""Sets in which each of two cameras sees each person, and whose published figures are means over ten random halves.

Neither VIPeR nor CUHK01 nor PRID450S comes with a split, so protocol `3` is the fourth of ten halves that never change
here. In `3-reversed` the second camera asks and the first one answers. `splits-3` takes the people from torchreid's
`splits.json`, put into the set's folder, so that figures of models trained there can be repeated.
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
    """Return what a protocol reads: the folders of the pictures, and the file of splits where it asks for that."""
    return (*pictures, SPLITS_FILE) if protocol.startswith(_LISTED) else pictures


def list_views(folder: Path, pattern: re.Pattern, suffix: str, example: str, *, prefix: str = "") -> pd.DataFrame:
    """Return all pictures of `cam_a` and `cam_b`; `pattern` is of a file name, with the group pid.

    Files that do not begin with `prefix` are no pictures of people.

    Raises:
        ReidopsError: a folder is missing or empty, or a file's name is not the set's.
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
    """Return the parts of a file's name; `example` says what they are.

    Raises:
        ReidopsError: the name is not the set's.
    """
    match = pattern.fullmatch(path.name)
    if match is None:
        raise ReidopsError(f"{path}: a file name of this set is like {example}; rename or remove the file")
    return match


def divide_people(folder: Path, crops: pd.DataFrame, part: str, protocol: str) -> Listing:
    """Return the crops of the training people, or query (one camera's) and gallery (the other's) of the rest.

    People whom one camera only has seen are nobody's match: they are left out, and counted in both parts.

    Raises:
        ReidopsError: nobody is seen by both cameras, or the file of splits does not fit the set.
    """
    paired = crops[crops.groupby("published_pid")["camera"].transform("nunique") == len(VIEWS)]
    if paired.empty:
        raise ReidopsError(f"{folder}: no person has pictures of both cameras; expected each person to have them")
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

    NumPy keeps RandomState's numbers for good, which it does not promise of its newer generators: a split is a fact of
    a protocol, so it does not depend on params.yaml's seed either.

    >>> sorted(random_half([1, 2, 3, 4, 5], number=0))
    [1, 3]
    """
    return set(np.random.RandomState(number).permutation(people)[: len(people) // 2].tolist())


def _with_roles(crops: pd.DataFrame, is_reversed: bool) -> pd.DataFrame:
    asks = crops["camera"] == (2 if is_reversed else 1)
    return crops.assign(role=np.where(asks, "query", "gallery")).astype({"role": crops["role"].dtype})


def _listed_people(path: Path, number: int, crops: pd.DataFrame) -> set[int]:
    """Return the training people of one of the ten divisions in torchreid's file, which lists each once per
    direction.
    """
    person = dict(zip(map(_tail, crops["file"]), crops["published_pid"].tolist(), strict=True))
    pictures = [_tail(picture) for picture in _read_train(path, number)]
    unknown = [picture for picture in pictures if picture not in person]
    if unknown:
        raise ReidopsError(
            f"{path}: split {number} trains on {unknown[0]}, which is not in {path.parent} ({len(unknown)} such "
            f"pictures)"
        )
    return {person[picture] for picture in pictures}


def _read_train(path: Path, number: int) -> list[str]:
    """Return the paths of the training pictures: a split is {"train": [[path, label, camera], …], "query": …,
    "gallery": …}.
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
    """Return folder and name of a picture, by which two copies of the set agree.

    >>> _tail("/home/me/viper/VIPeR/cam_a/000_45.bmp")
    'cam_a/000_45.bmp'
    """
    return "/".join(Path(path.replace("\\", "/")).parts[-2:])
