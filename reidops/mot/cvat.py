"""Read CVAT's export "CVAT for video 1.1": tracks with a box per frame or keyframe, frames counted from 0."""

from pathlib import Path
from xml.etree import ElementTree

from reidops.errors import ReidopsError
from reidops.mot.exported import OCCLUDED, Exported, Keyframe, exported, fill_track, upright


def read_cvat(path: Path, num_pictures: int | None = None) -> Exported:
    """Return the boxes of an annotations.xml; frames between keyframes are interpolated.

    A rotated box becomes the upright box around it. Frame numbers are those of the video. If a task has only a range or
    every k-th frame of it and `num_pictures` is the number of its frames, they are counted in the task.

    Raises:
        ReidopsError: the file is not XML, or holds no track with a box.
    """
    try:
        root = ElementTree.parse(path).getroot()
        rows = [row for track in root.iter("track") for row in _rows(track)]
        rows, counted = _in_task(rows, root, num_pictures)
    except (ElementTree.ParseError, UnicodeError, ValueError, KeyError, LookupError) as error:
        fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ReidopsError(f"{path}: {fault}; export the task as 'CVAT for video 1.1' again") from None
    if not rows:
        images = sum(1 for _ in root.iter("image"))
        found = f" but {images:,} single images" if images else ""
        raise ReidopsError(f"{path}: holds no track with a box{found}; export the task as 'CVAT for video 1.1'")
    return exported(rows, f"CVAT's format, occluded boxes count as half visible{counted}", path)


def _in_task(rows: list[tuple], root: ElementTree.Element, num_pictures: int | None) -> tuple[list[tuple], str]:
    """Return the rows with the frame numbers of the task, and a remark if they differ from those of the video."""
    task = next(iter([*root.iter("task"), *root.iter("job"), root]))
    start = int(task.findtext("start_frame") or 0)
    step = int((task.findtext("frame_filter") or "").replace(" ", "").removeprefix("step=") or 1)
    size = int(task.findtext("size") or 0)
    places = [(row[0] - 1 - start) / step for row in rows]
    if (start, step) == (0, 1) or num_pictures != size or min(places, default=-1) < 0 or max(places) > size - 1:
        return rows, ""
    kept = [(int(place) + 1, *row[1:]) for place, row in zip(places, rows, strict=True) if place % 1 == 0]
    return kept, f"; the task has {size} frames of the video, from {start} in steps of {step}"


def _rows(track: ElementTree.Element) -> list[tuple]:
    keyframes = [_keyframe(box) for box in track.iter("box")]
    number, name = int(track.attrib["id"]), track.attrib["label"]
    return [(frame, number, box, True, name, visible) for frame, box, visible in fill_track(keyframes)]


def _keyframe(box: ElementTree.Element) -> Keyframe:
    left, top, right, bottom = (float(box.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    middle = ((left + right) / 2, (top + bottom) / 2)
    return Keyframe(
        int(box.attrib["frame"]) + 1,
        upright((left, top, right - left, bottom - top), float(box.attrib.get("rotation", "0")), middle),
        box.attrib.get("outside", "0") == "1",
        OCCLUDED if box.attrib.get("occluded", "0") == "1" else 1.0,
    )
