"""The published layout of CUHK03: one MATLAB file with all pictures, annotated (labeled) or detected (detected).

The protocols `detected` and `labeled` are the newer ones with 767 training and 700 test people, from the two files
`cuhk03_new_protocol_config_….mat`. `detected-classic-0` … `labeled-classic-19` are the twenty original ones with 100
test people: queries are from view 1, the gallery is from view 2, and all other people are for training.

A person is in one of five pairs of cameras, with at most five pictures per camera. Its number is 1000 · pair + number
in the pair.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.matlab import cell_shape, is_picture, read_matrix, read_variables
from reidops.datasets.reid_set import Listing, ReidSet, crops_table
from reidops.errors import ReidopsError

PROTOCOLS = (
    "detected",
    "labeled",
    *(f"{boxes}-classic-{split}" for boxes in ("detected", "labeled") for split in range(20)),
)

# Protocol → role → (people, crops); the counts of the classic protocols are not published.
PUBLISHED_COUNTS = {
    "detected": {"train": (767, 7_365), "query": (700, 1_400), "gallery": (700, 5_332)},
    "labeled": {"train": (767, 7_368), "query": (700, 1_400), "gallery": (700, 5_328)},
}

_PICTURES = "cuhk03_release/cuhk-03.mat"
_CONFIG = "cuhk03_new_protocol_config_{}.mat"
_CONFIG_URL = "https://github.com/zhunzhong07/person-re-ranking/tree/master/evaluation/data/CUHK03"
_VIEWS = {1: "query", 2: "gallery"}
_PICTURES_PER_VIEW = 5
_NAME = re.compile(r"(?P<pair>\d)_(?P<person>\d{3})_(?P<view>[12])_(?P<number>\d{2})\.png")
_EXAMPLE = "1_001_1_01.png (pair of cameras, person, view, picture)"


@dataclass(frozen=True)
class _Picture:
    """The position of a picture in the file: pair of cameras, person in the pair, number 1 … 10 (1 … 5: view 1)."""

    pair: int
    person: int
    number: int

    @property
    def view(self) -> int:
        """Return the camera of the pair, 1 or 2."""
        return 1 if self.number <= _PICTURES_PER_VIEW else 2

    @property
    def name(self) -> str:
        """Return the file name in the newer protocol."""
        return f"{self.pair}_{self.person:03d}_{self.view}_{self.number:02d}.png"

    @property
    def pid(self) -> int:
        """Return the person's number in the whole set."""
        return 1000 * self.pair + self.person

    def member(self, boxes: str) -> str:
        """Return the member name for matlab.read_picture; `boxes` is detected or labeled."""
        return f"{boxes}{{{self.pair}}}{{{self.person},{self.number}}}"


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the files that a part reads."""
    boxes, _, split = (protocol or PROTOCOLS[0]).partition("-classic-")
    return (_PICTURES,) if split else (_PICTURES, _CONFIG.format(boxes))


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the published training people, or query and gallery; `member` is a name for matlab.read_picture.

    Raises:
        ReidopsError: a file is missing or not as published.
    """
    boxes, _, split = (protocol or PROTOCOLS[0]).partition("-classic-")
    file = str(folder / _PICTURES)
    if split:
        chosen = _choose_classic(file, boxes, int(split), part)
    else:
        chosen = _choose_new(folder / _CONFIG.format(boxes), part)
    crops = _table(file, boxes, chosen)
    return crops, Counter({"crops": len(crops)})


def _table(file: str, boxes: str, chosen: list[tuple[_Picture, str]]) -> pd.DataFrame:
    """Return the crops table of pictures and their roles."""
    return crops_table(
        [
            {
                "file": file,
                "member": picture.member(boxes),
                "name": picture.name,
                "published_pid": picture.pid,
                "camera": picture.view,
                "role": role,
            }
            for picture, role in chosen
        ]
    )


def _choose_new(config: Path, part: str) -> list[tuple[_Picture, str]]:
    """Return the pictures of a part in the newer protocol, with their roles.

    Raises:
        ReidopsError: a name or an index is invalid, a label has two people, or a picture is in two lists.
    """
    lists = {"train": ""} if part == "train" else {"query": "query", "gallery": "gallery"}
    try:
        found = read_variables(config, ("filelist", "labels", "train_idx", "query_idx", "gallery_idx"))
    except ReidopsError as error:
        raise ReidopsError(f"{error}; download it from {_CONFIG_URL} and put it beside cuhk03_release") from None
    pictures = [_read_name(config, str(name)) for name in found["filelist"]]
    _check_labels(config, pictures, found["labels"])
    chosen = [
        (pictures[at], role)
        for name, role in lists.items()
        for at in _indices(config, name, found[f"{name}_idx"], len(pictures))
    ]
    twice = [picture.name for picture, times in Counter(picture for picture, _ in chosen).items() if times > 1]
    if twice:
        where = " and ".join(f"{name}_idx" for name in lists)
        raise ReidopsError(
            f"{config}: {twice[0]} is listed twice in {where} ({len(twice)} such pictures); copy the file again"
        )
    return chosen


def _read_name(config: Path, name: str) -> _Picture:
    match = _NAME.fullmatch(name)
    picture = _Picture(int(match["pair"]), int(match["person"]), int(match["number"])) if match else None
    if picture is None or picture.name != name:
        raise ReidopsError(
            f"{config}: {name} in filelist: a picture of CUHK03 is named like {_EXAMPLE}; copy the file again"
        )
    return picture


def _check_labels(config: Path, pictures: list[_Picture], labels: np.ndarray) -> None:
    """Check that the labels and the names agree on the people."""
    if len(labels) != len(pictures):
        raise ReidopsError(
            f"{config}: has {len(labels):,} labels for the {len(pictures):,} names of filelist; copy the file again"
        )
    pids: dict[int, int] = {}
    people: dict[int, int] = {}
    for picture, label in zip(pictures, labels.tolist(), strict=True):
        if pids.setdefault(label, picture.pid) != picture.pid or people.setdefault(picture.pid, label) != label:
            raise ReidopsError(
                f"{config}: {picture.name} has label {label}, which belongs to another person in other pictures; copy "
                f"the file again"
            )


def _indices(config: Path, name: str, published: np.ndarray, size: int) -> np.ndarray:
    """Return the indices of a list, counted from 0 instead of 1."""
    indices = published.astype(np.int64) - 1
    wrong = indices[(indices < 0) | (indices >= size)]
    if len(wrong):
        raise ReidopsError(
            f"{config}: {name}_idx holds {wrong[0] + 1}, filelist has {size:,} names; copy the file again"
        )
    return indices


def _choose_classic(file: str, boxes: str, split: int, part: str) -> list[tuple[_Picture, str]]:
    """Return the pictures of the people in `testsets{split + 1}`, or of all others, with their roles."""
    tested = {(int(pair), int(person)) for pair, person in _test_people(file, split)}
    people = set(_people(file, boxes))
    for pair, person in sorted(tested - people):
        raise ReidopsError(
            f"{file}: testsets{{{split + 1}}} names person {person} of pair {pair}, who is not in {boxes}; unpack the "
            f"file again"
        )
    wanted = people - tested if part == "train" else tested
    pictures = (
        _Picture(pair, person, number)
        for (pair, person), number in product(sorted(wanted), range(1, 2 * _PICTURES_PER_VIEW + 1))
    )
    return [
        (picture, "" if part == "train" else _VIEWS[picture.view])
        for picture in pictures
        if is_picture(file, picture.member(boxes))  # most people have fewer than ten
    ]


def _people(file: str, boxes: str) -> Iterator[tuple[int, int]]:
    for pair in range(1, max(cell_shape(file, boxes)) + 1):
        num_people, num_pictures = cell_shape(file, f"{boxes}{{{pair}}}")
        if num_pictures != 2 * _PICTURES_PER_VIEW:
            raise ReidopsError(
                f"{file}: {boxes}{{{pair}}} has {num_pictures} columns, expected 10, five of each view; unpack it again"
            )
        yield from ((pair, person) for person in range(1, num_people + 1))


def _test_people(file: str, split: int) -> np.ndarray:
    """Return [num_people, 2]: pair of cameras, person in the pair."""
    found = read_matrix(file, f"testsets{{{split + 1}}}")
    if found.ndim != 2 or found.shape[1] != 2:
        raise ReidopsError(
            f"{file}: testsets{{{split + 1}}} is no matrix of two columns (pair, person); unpack it again"
        )
    return found


SET = ReidSet(
    name="CUHK03",
    layout="cuhk03",
    folder_names=("CUHK03", "cuhk03"),
    list_part=list_part,
    reads=reads,
    protocols=PROTOCOLS,
    how_to_ask=(
        "CUHK03 is available from its authors for research: request it on "
        "http://www.ee.cuhk.edu.hk/~xgwang/CUHK_identification.html,"
        f" put {_CONFIG.format('detected')} and {_CONFIG.format('labeled')} of {_CONFIG_URL} beside cuhk03_release, "
        f"and unpack"
        " cuhk03_release.zip"
    ),
)
