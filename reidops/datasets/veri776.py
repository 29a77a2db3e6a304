"""The published layout of VeRi-776 (vehicles): image_train, image_query, image_test; `0001_c001_00016450_0.jpg`.

Cameras are 1 … 20. The queries are copies of images in image_test. With the rule of Market-1501 the copy is junk for
its own query (same camera), but a match for queries of other cameras. So the gallery keeps it, and the query gets
another name.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from reidops.datasets.reid_set import Listing, ReidSet, crops_table, list_files
from reidops.errors import ReidopsError

# Protocol → role → (vehicles, crops).
PUBLISHED_COUNTS = {"": {"train": (576, 37_778), "query": (200, 1_678), "gallery": (200, 11_579)}}

_ROLES = {"image_train": "", "image_query": "query", "image_test": "gallery"}
_FILE_NAME = re.compile(r"(?P<pid>(?!0000)\d{4})_c0(?P<camera>0[1-9]|1\d|20)_(?P<frame>\d+)_\d+\.jpg")
_EXAMPLE = "0001_c001_00016450_0.jpg (vehicle, camera 001 … 020, frame, box)"


def reads(part: str, protocol: str = "") -> tuple[str, ...]:
    """Return the folders that a part reads."""
    return ("image_train",) if part == "train" else ("image_query", "image_test")


def list_part(folder: Path, part: str, protocol: str = "") -> Listing:
    """Return the published training vehicles, or query and gallery.

    Raises:
        ReidopsError: a folder is missing or empty, or a file's name is not the set's.
    """
    crops = pd.concat([_list_folder(folder / name, _ROLES[name]) for name in reads(part)], ignore_index=True)
    return crops, Counter({"crops": len(crops)})


def _list_folder(folder: Path, role: str) -> pd.DataFrame:
    names = list_files(folder, (".jpg",), f"crops named like {_EXAMPLE}")
    return crops_table([_read_name(f"{folder}/{name}", name, role) for name in names])


def _read_name(path: str, name: str, role: str) -> dict:
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        raise ReidopsError(f"{path}: a file name of VeRi-776 is like {_EXAMPLE}; rename or remove the file")
    numbers = {"published_pid": int(match["pid"]), "camera": int(match["camera"]), "frame": int(match["frame"])}
    return {"file": path, "name": f"query_{name}" if role == "query" else name, "role": role, **numbers}


SET = ReidSet(
    name="VeRi-776",
    layout="veri776",
    folder_names=("VeRi", "VeRi-776", "VeRi_with_plate", "veri"),
    archive_names=("VeRi.zip", "VeRi_with_plate.zip"),
    list_part=list_part,
    reads=reads,
    how_to_ask=(
        "VeRi-776 is available from its authors for research: request it on https://vehiclereid.github.io/VeRi/, "
        "unpack the archive"
    ),
)
