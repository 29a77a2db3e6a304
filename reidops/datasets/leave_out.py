"""The people of training sets who are left out of training, as `download.leave_out` names them.

`download` reads the files and writes `raw/leave_out.json`; `convert` leaves the people out of train and val. A person
is named by the number that the set publishes, by the folder of crops in a set of one's own, and by SEQUENCE_TRACK in a
MOT set.
"""

import logging
from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reidops.datasets.own_sets import NAMED_BY_FOLDER
from reidops.datasets.people_list import NamedPerson, read_people
from reidops.errors import ReidopsError
from reidops.files import read_json, repository_path, sha256, write_json
from reidops.parts import Part

log = logging.getLogger(__name__)

LEAVE_OUT = "leave_out.json"
_NUM_SHOWN = 5


@dataclass(frozen=True)
class LeaveOut:
    """The people of one training set who are left out.

    `file` is the value of the param, `digest` the SHA-256 of the file, and `people` are the names that `people_names`
    returns.
    """

    dataset: str
    file: str
    digest: str
    people: tuple[str, ...]


def read_leave_out(files: Mapping[str, str], parts: Rows[Part]) -> list[LeaveOut]:
    """Return the people of each file of `download.leave_out`.

    Raises:
        ReidopsError: a set does not train, a file cannot be read, or a row does not name a person of such a set.
    """
    return [_read_file(dataset, file, parts) for dataset, file in files.items()]


def write_leave_out(leave_out: Rows[LeaveOut], raw: Path) -> None:
    """Write `raw/leave_out.json`; without people to leave out there is no file."""
    if leave_out:
        entries = {row.dataset: {"file": row.file, "digest": row.digest, "people": row.people} for row in leave_out}
        write_json(entries, raw / LEAVE_OUT)


def noted_leave_out(raw: Path) -> list[LeaveOut]:
    """Return the people that `download` noted in `raw/leave_out.json`.

    Raises:
        ReidopsError: a file that names them changed after `download` or is missing.
    """
    path = raw / LEAVE_OUT
    entries = read_json(path) if path.is_file() else {}
    for dataset, entry in entries.items():
        file = repository_path(entry["file"])
        if not file.is_file() or sha256(file) != entry["digest"]:
            raise ReidopsError(
                f"{file}: changed or was removed after download read the people of {dataset} to leave out; run "
                f"`dvc repro -f download` and then `dvc repro`"
            )
    return [LeaveOut(name, row["file"], row["digest"], tuple(row["people"])) for name, row in entries.items()]


def is_left_out(crops: pd.DataFrame, leave_out: Rows[LeaveOut]) -> pd.Series:
    """Return whether each crop is of a person who is left out of training; crops of the part test never are.

    Logs a warning with the number of named people without a training crop.

    Raises:
        ReidopsError: a file names no person of its set.
    """
    left_out = pd.Series(False, index=crops.index)
    for named in leave_out:
        train = crops[(crops["part"] == "train") & (crops["dataset"] == named.dataset)]
        names = people_names(train)
        _check_found(named, set(names))
        left_out[train.index] = names.isin(named.people)
    return left_out


def count_left_out(crops: pd.DataFrame, left_out: pd.Series, leave_out: Rows[LeaveOut]) -> dict[str, dict[str, Any]]:
    """Return for each set its file, the numbers of named and unknown people, and people and crops by scene."""
    return {named.dataset: _count_one(crops, left_out, named) for named in leave_out}


def people_names(crops: pd.DataFrame) -> pd.Series:
    """Return the name of each crop's person, by which a file of `download.leave_out` names this person.

    Args:
        crops: candidates of one set, with layout, person, and published_pid or folder.
    """
    layouts = set(crops["layout"])
    if "mot" in layouts:
        return crops["person"]
    return crops["folder"] if layouts & set(NAMED_BY_FOLDER) else crops["published_pid"].astype(int).astype(str)


def _count_one(crops: pd.DataFrame, left_out: pd.Series, named: LeaveOut) -> dict[str, Any]:
    train = crops[(crops["part"] == "train") & (crops["dataset"] == named.dataset)]
    lost = train[left_out[train.index]]
    scenes = {
        str(scene): {
            "people": int(lost.loc[lost["scene"] == scene, "person"].nunique()),
            "crops": int((lost["scene"] == scene).sum()),
        }
        for scene in sorted(set(train["scene"]))
    }
    num_unknown = len(set(named.people) - set(people_names(train)))
    return {"file": named.file, "num_named": len(named.people), "num_unknown": num_unknown, "scenes": scenes}


def _check_found(named: LeaveOut, known: set[str]) -> None:
    unknown = [name for name in named.people if name not in known]
    if len(unknown) == len(named.people):
        raise ReidopsError(
            f"{named.file}: none of its {len(unknown):,} people ({_listing(unknown)}) has a training crop in "
            f"{named.dataset}, whose people are named {_listing(sorted(known)) or '(none)'}; correct "
            f"download.leave_out in params.yaml"
        )
    if unknown:
        log.warning(
            "%s: %s of its %s people have no training crop in %s: %s",
            named.file,
            f"{len(unknown):,}",
            f"{len(named.people):,}",
            named.dataset,
            _listing(unknown),
        )


def _listing(names: list[str]) -> str:
    return ", ".join(names[:_NUM_SHOWN]) + (", …" if len(names) > _NUM_SHOWN else "")


def _read_file(dataset: str, file: str, parts: Rows[Part]) -> LeaveOut:
    train = [part for part in parts if part.is_learnt and part.dataset == dataset]
    if not train:
        known = ", ".join(dict.fromkeys(part.dataset for part in parts if part.is_learnt)) or "none"
        raise ReidopsError(f"download.leave_out: {dataset} is not a training set; the training sets are: {known}")
    path = repository_path(file)
    people = (_name_of(person, path, train) for person in read_people(path))
    return LeaveOut(dataset, file, sha256(path), tuple(dict.fromkeys(people)))


def _name_of(person: NamedPerson, path: Path, train: list[Part]) -> str:
    """Return the name as in `people_names`; a number is written without leading zeros."""
    layout = train[0].layout
    if layout in NAMED_BY_FOLDER:
        return person.name
    if layout == "mot":
        return _track_name(person, path, train)
    return str(_number(person.name, person, path, "the number of a person"))


def _track_name(person: NamedPerson, path: Path, train: list[Part]) -> str:
    """Return SEQUENCE_TRACK with six digits, the person's folder in crops.tar."""
    place, _, track = person.name.rpartition("_")
    number = _number(track, person, path, "SEQUENCE_TRACK")
    sequences = list(dict.fromkeys(part.sequence for part in train if place in ("", part.sequence, part.scene)))
    if not place and len(sequences) > 1:
        raise ReidopsError(
            f"{path}: row {person.row} names the track {number} without its sequence, and {train[0].dataset} trains "
            f"with {len(sequences)} sequences; write e.g. {sequences[0]}_{number}"
        )
    return f"{sequences[0] if sequences else place}_{number:06d}"


def _number(text: str, person: NamedPerson, path: Path, expected: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ReidopsError(f"{path}: row {person.row} is {person.name!r}, expected {expected}; correct the row")
    return int(text)
