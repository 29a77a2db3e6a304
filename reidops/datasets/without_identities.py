"""Recognise data sets for detectors, whose people have no identities, to explain why they are refused."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_MOST_FILES = 50  # label files that are looked at
_JSON_START = 4096  # bytes
_YOLO_FIELDS = (5, 6)
_REMEDY = (
    "they cannot train or be tested here. Use a set with identities (docs/your-data.md); a detector that was trained "
    "with them is used by detect.source"
)


def without_identities(folder: Path) -> str:
    """Return the end of an error message for a folder of a data set for detectors, "" for any other folder."""
    found = next((path for path in islice(folder.rglob("*.odgt"), 1)), None)
    if found is not None:
        return f". {found.name} has CrowdHuman's format, whose people have no identities: {_REMEDY}"
    labels = next(_yolo_labels(folder), None)
    if labels is not None:
        return (
            f". {labels.relative_to(folder).as_posix()} is a label file of YOLO, whose boxes have no identities: "
            f"{_REMEDY}. Labels with identities belong in labels_with_ids"
        )
    coco = next((path for path in islice(folder.rglob("*.json"), _MOST_FILES) if _is_coco(path)), None)
    if coco is not None:
        return (
            f". {coco.relative_to(folder).as_posix()} has COCO's format; if its boxes have a track_id, put it into the "
            f"folder of its sequence, {folder.name}/train/<sequence>/annotations.json, beside the frames. Without "
            f"identities {_REMEDY}"
        )
    return ""


def _yolo_labels(folder: Path) -> Iterator[Path]:
    """Return the label files of YOLO in folders that are named labels."""
    places = [path for path in (folder / "labels", *folder.glob("*/labels")) if path.is_dir()]
    files = (path for place in places for path in place.rglob("*.txt") if path.stem != "classes")
    return (path for path in islice(files, _MOST_FILES) if _is_yolo(path))


def _is_yolo(path: Path) -> bool:
    try:
        words = path.read_text(encoding="utf-8").partition("\n")[0].split()
        return len(words) in _YOLO_FIELDS and all(0 <= float(word) <= 1 for word in words[1:5])
    except (OSError, ValueError):
        return False


def _is_coco(path: Path) -> bool:
    """Return whether a JSON file starts like COCO's, or is one; a large file is not read to its end."""
    try:
        with path.open(encoding="utf-8") as file:
            start = file.read(_JSON_START)
    except (OSError, UnicodeDecodeError):
        return False
    return json.dumps("images") in start or json.dumps("annotations") in start
