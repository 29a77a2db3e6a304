"""Read CVAT's export "CVAT for video 1.1": tracks with a box per frame or keyframe, frames counted from 0."""

from pathlib import Path
from xml.etree import ElementTree

from reidops.errors import ReidopsError
from reidops.mot.exported import OCCLUDED, Exported, Keyframe, exported, fill_track


def read_cvat(path: Path) -> Exported:
    """Return the boxes of an annotations.xml; frames between keyframes are interpolated.

    Raises:
        ReidopsError: the file is not XML, or holds no track with a box.
    """
    try:
        root = ElementTree.parse(path).getroot()
        rows = [row for track in root.iter("track") for row in _rows(track)]
    except (ElementTree.ParseError, UnicodeError, ValueError, KeyError, LookupError) as error:
        fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ReidopsError(f"{path}: {fault}; export the task as 'CVAT for video 1.1' again") from None
    if not rows:
        images = sum(1 for _ in root.iter("image"))
        found = f" but {images:,} single images" if images else ""
        raise ReidopsError(f"{path}: holds no track with a box{found}; export the task as 'CVAT for video 1.1'")
    return exported(rows, "CVAT's format, occluded boxes count as half visible", path)


def _rows(track: ElementTree.Element) -> list[tuple]:
    keyframes = [_keyframe(box) for box in track.iter("box")]
    number, name = int(track.attrib["id"]), track.attrib["label"]
    return [(frame, number, box, True, name, visible) for frame, box, visible in fill_track(keyframes)]


def _keyframe(box: ElementTree.Element) -> Keyframe:
    left, top, right, bottom = (float(box.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    return Keyframe(
        int(box.attrib["frame"]) + 1,
        (left, top, right - left, bottom - top),
        box.attrib.get("outside", "0") == "1",
        OCCLUDED if box.attrib.get("occluded", "0") == "1" else 1.0,
    )
