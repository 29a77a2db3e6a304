"""Read MOTS annotations: frame, id, class, height, width and the mask as a run-length code, separated by spaces.

A box is that around the mask. A frame is the number in its picture's name (MOTS20 counts from 1, KITTI MOTS from 0).
Class 1 is a car, 2 a pedestrian and 10 a region to ignore. Boxes are 0-based px.
"""

import re
from pathlib import Path

from pycocotools import mask as coco_masks

from reidops.errors import ReidopsError
from reidops.mot.exported import Exported, exported
from reidops.mot.frame_files import FrameFiles
from reidops.mot.text_rows import read_text

_LINE = re.compile(r"(\d{1,9}) (\d{1,9}) (\d{1,4}) (\d{1,6}) (\d{1,6}) (\S+)")
_CODE = re.compile(r"[0-o]*[0-O]")  # COCO's compressed counts, of which the last one is complete
CLASS_NAMES = {1: "car", 2: "pedestrian"}
_IGNORED = 10


def is_mots(path: Path) -> bool:
    """Return whether the first line of a file is in this format."""
    try:
        with path.open(encoding="utf-8") as file:
            first = _LINE.fullmatch(" ".join(file.readline(1_000_000).split()))
    except (OSError, UnicodeDecodeError):
        return False
    return first is not None and not re.fullmatch(r"[\d.,]+", first[6])


def read_mots(path: Path, files: FrameFiles, width: int, height: int) -> Exported:
    """Return the boxes around the masks of a file.

    Args:
        files: the images of the sequence.
        width, height: image size in px.

    Raises:
        ReidopsError: a line is not in this format, its mask has another size than the frames, or its frame has no
            picture.
    """
    frames = files.frame_of_name
    frame_of = {number: frames[name] for number, name in zip(files.numbers, files.names, strict=True)}
    rows, ignored = [], 0
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(" ".join(line.split()))
        where = f"{path}: line {number}"
        if found is None or not _CODE.fullmatch(found[6]):
            raise ReidopsError(f"{where}: is not frame id class height width mask; get the annotations again")
        frame, track, kind, mask_height, mask_width = (int(word) for word in found.groups()[:5])
        if (mask_width, mask_height) != (width, height):
            raise ReidopsError(f"{where}: the mask has {mask_width} × {mask_height} px, the frames {width} × {height}")
        if frame not in frame_of:
            raise ReidopsError(f"{where}: there is no picture with the number {frame}; unpack the frames again")
        if kind == _IGNORED:
            ignored += 1
            continue
        box = _box_ltwh(found[6], (height, width), where)
        rows.append((frame_of[frame], track, box, True, CLASS_NAMES.get(kind, str(kind)), 1.0))
    if not rows:
        raise ReidopsError(f"{path}: holds no mask of a person or car; expected one line per mask")
    return exported(rows, f"MOTS, boxes around the masks; {ignored:,} regions to ignore are left out", path)


def _box_ltwh(code: str, size: tuple[int, int], where: str) -> tuple[float, float, float, float]:
    left, top, width, height = coco_masks.toBbox([{"size": list(size), "counts": code.encode()}])[0].tolist()
    if width <= 0 or height <= 0 or left + width > size[1] or top + height > size[0]:
        raise ReidopsError(f"{where}: the mask is empty or larger than the frame; get the annotations again")
    return left, top, width, height
