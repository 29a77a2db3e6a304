"""The published layout of MSMT17: four lists with lines like `0000/0000_000_01_0303morning_0015_0.jpg 0`.

V2 has the crops of V1 with masked faces. The third field of a file name is the camera, 1 … 15, the fifth one the frame.
Person 0 is a person. Test people are numbered from 0 again, so that 10,000 is added to their numbers.
"""

import os
import re
from collections import Counter
from pathlib import Path

from reidops.datasets.reid_set import Listing, ReidSet, crops_table
from reidops.errors import ReidopsError

# Protocol → role → (people, crops); train is list_train (30,248) and list_val (2,373) together.
PUBLISHED_COUNTS = {"": {"train": (1_041, 32_621), "query": (3_060, 11_659), "gallery": (3_060, 82_161)}}

_LISTS = {"list_train.txt": "", "list_val.txt": "", "list_query.txt": "query", "list_gallery.txt": "gallery"}
_IMAGES = {"train": ("train", "mask_train_v2"), "test": ("test", "mask_test_v2")}  # V1, V2
_FIRST_PID = {"train": 0, "test": 10_000}
_LINE = re.compile(r"(?P<path>\S+\.jpg)\s+(?P<pid>\d{1,4})")
_FILE_NAME = re.compile(r"\d+_\d+_(?P<camera>\d+)_[^_]+_(?P<frame>\d+)_\w+\.jpg")
_EXAMPLE = "0000_000_01_0303morning_0015_0.jpg (person, picture, camera, time, frame, box)"


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the lists that a part reads; the folder of their crops has different names in V1 and V2."""
    return ("list_train.txt", "list_val.txt") if part == "train" else ("list_query.txt", "list_gallery.txt")


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the training people (list_train and list_val), or query and gallery, in the order of the lists.

    Raises:
        ReidopsError: a list or the folder of crops is missing, or a line is not `path pid`, or its file is missing or
            listed before.
    """
    images = _images_folder(folder, part)
    rows = []
    seen: dict[str, str] = {}
    for name in reads(part):
        for where, path, pid in _read_list(folder / name):
            if path in seen:
                raise ReidopsError(f"{where}: {path} is listed before, in {seen[path]}; remove one of the two lines")
            seen[path] = where
            rows.append(
                {**_row(f"{images}/{path}", where), "published_pid": _FIRST_PID[part] + pid, "role": _LISTS[name]}
            )
    return crops_table(rows), Counter({"crops": len(rows)})


def _images_folder(folder: Path, part: str) -> Path:
    found = [folder / name for name in _IMAGES[part] if (folder / name).is_dir()]
    if not found:
        first, second = _IMAGES[part]
        raise ReidopsError(
            f"{folder}: holds neither {first} (V1) nor {second} (V2), the folder of the crops in its lists; unpack the "
            f"set again"
        )
    return found[0]


def _read_list(file: Path) -> list[tuple[str, str, int]]:
    """Return the location (file and line) of each entry, the path of its crop, and the person."""
    if not file.is_file():
        raise ReidopsError(
            f"{file}: no such file; MSMT17 has four lists beside its folders of crops; unpack the data set again"
        )
    lines = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        where, match = f"{file}: line {number}", _LINE.fullmatch(line.strip())
        if match:
            lines.append((where, match["path"], int(match["pid"])))
        elif line.strip():
            raise ReidopsError(f"{where} ({line.strip()}) is not `<person>/<crop>.jpg <pid>`; unpack the list again")
    if not lines:
        raise ReidopsError(f"{file}: is empty; expected lines of `<person>/<crop>.jpg <pid>`")
    return lines


def _row(path: str, where: str) -> dict:
    name = path.rpartition("/")[2]
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        raise ReidopsError(f"{where}: {name}: a file name of MSMT17 is like {_EXAMPLE}; unpack the list again")
    if not os.path.isfile(path):
        raise ReidopsError(f"{where}: {path} does not exist; unpack the set again")
    return {"file": path, "name": name, "camera": int(match["camera"]), "frame": int(match["frame"])}


SET = ReidSet(
    name="MSMT17",
    layout="msmt17",
    folder_names=(
        "MSMT17_V1",
        "MSMT17_V2",
        "MSMT17/MSMT17_V1",
        "MSMT17/MSMT17_V2",
        "MSMT17",
        "msmt17/MSMT17_V1",
        "msmt17/MSMT17_V2",
        "msmt17",
    ),
    archive_names=("MSMT17_V1.tar.gz", "MSMT17_V2.tar.gz"),
    list_part=list_part,
    reads=reads,
    also_reads=("train", "test", "mask_train_v2", "mask_test_v2"),
    how_to_ask=(
        "MSMT17 is available from its authors for research: sign the agreement on https://www.pkuvmc.com/dataset.html, "
        "unpack the archive"
    ),
)
