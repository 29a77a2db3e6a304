"""The published layout of PRID2011 (multi-shot): `prid_2011/multi_shot/cam_a/person_0001/0001.png`, two cameras.

People 1 … 200 are in both cameras; above 200, a number is a different person in each camera. The video protocol uses
the 178 of the 200 people with at least 27 pictures per camera, and divides them into 89 and 89, ten times. The set has
no published split: protocol `3` is the fourth of ten fixed random halves; `splits-3` takes the people from torchreid's
`splits_prid2011.json` beside `prid_2011`, to reproduce published metrics.
"""

import re
from collections import Counter
from pathlib import Path

from reidops.datasets.reid_set import Listing, ReidSet
from reidops.datasets.tracklets import TwoCameras, check_tracklets, list_folders, list_two_cameras, person_number
from reidops.datasets.two_views import random_half
from reidops.errors import ReidopsError
from reidops.files import read_json

# Protocol ("*" = each) → role → (people, tracklets).
PUBLISHED_COUNTS = {"*": {"train": (89, 178), "query": (89, 89), "gallery": (89, 89)}}
SPLITS_FILE = "splits_prid2011.json"

_LISTED = "splits-"
PROTOCOLS = tuple(f"{source}{number}" for source in ("", _LISTED) for number in range(10))
_FEWEST_PICTURES = 27
_LAST_IN_BOTH = 200
_LAYOUT = TwoCameras(
    cameras=("prid_2011/multi_shot/cam_a", "prid_2011/multi_shot/cam_b"),
    file_name=re.compile(r"(?P<frame>\d{4})\.png"),
    example="0001.png (number within the tracklet)",
)


def reads(part: str, protocol: str = PROTOCOLS[0]) -> tuple[str, ...]:
    """Return the folders that each part reads, and the file of splits if the protocol uses it."""
    return (*_LAYOUT.cameras, SPLITS_FILE) if protocol.startswith(_LISTED) else _LAYOUT.cameras


def list_part(folder: Path, part: str, protocol: str = PROTOCOLS[0]) -> Listing:
    """Return the training people of the split, or query (camera a) and gallery (camera b) of its test people."""
    number = int(protocol.removeprefix(_LISTED))
    if protocol.startswith(_LISTED):
        people = _listed_people(folder / SPLITS_FILE, part, number)
    else:
        everybody = _people_seen_enough(folder)
        training = random_half(everybody, number)
        people = [pid for pid in everybody if (pid in training) == (part == "train")]
    crops = list_two_cameras(folder, _LAYOUT, map("person_{:04d}".format, people), part)
    check_tracklets(crops)
    return crops, Counter({"crops": len(crops)})


def _listed_people(path: Path, part: str, number: int) -> list[int]:
    """Return the people of one of the ten splits in torchreid's file, {"train": [folder, …], "test": [folder, …]}."""
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; copy torchreid's file there, or use a protocol without {_LISTED!r}")
    try:
        return [int(person.removeprefix("person_")) for person in read_json(path)[number][part]]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise ReidopsError(
            f"{path}: is no list of ten divisions with folders of people in `train` and `test`, as torchreid's is"
        ) from None


def _people_seen_enough(folder: Path) -> list[int]:
    """Return the sorted people in both cameras with enough pictures per camera."""
    first, second = (_seen_enough(folder / camera) for camera in _LAYOUT.cameras)
    people = sorted(pid for pid in first & second if pid <= _LAST_IN_BOTH)
    if len(people) < 2:
        raise ReidopsError(
            f"{folder}: fewer than two people have {_FEWEST_PICTURES} pictures from each camera; unpack the set again"
        )
    return people


def _seen_enough(camera: Path) -> set[int]:
    folders = [camera / name for name in list_folders(camera, "a folder for each person, person_0001 …")]
    people = {person_number(folder): folder for folder in folders}
    return {
        pid
        for pid, folder in people.items()
        if sum(path.suffix == ".png" for path in folder.iterdir()) >= _FEWEST_PICTURES
    }


SET = ReidSet(
    name="PRID2011",
    layout="prid2011",
    folder_names=("PRID2011", "prid2011"),
    archive_names=("prid_2011.zip",),
    list_part=list_part,
    reads=reads,
    protocols=PROTOCOLS,
    how_to_ask=(
        "PRID2011 is available on https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/prid11/:"
        " unpack prid_2011.zip"
    ),
)
