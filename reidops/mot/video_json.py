"""Read ground truth in JSON: COCO with track ids, and Label Studio's export of videos."""

import json
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError
from reidops.mot.exported import Exported, Keyframe, exported, fill_track
from reidops.mot.frame_files import FrameFiles

_TRACK_IDS = ("track_id", "instance_id", "object_id", "trackId")


def read_video_json(path: Path, files: FrameFiles, width: int, height: int) -> Exported:
    """Return the boxes of a JSON file of one sequence.

    Args:
        files: the images of the sequence, to which COCO refers by name.
        width, height: image size in px; Label Studio states boxes in percent of it.

    Raises:
        ReidopsError: the file is not JSON, or has neither format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
            return _coco(content, path, files)
        if isinstance(content, list) and content and isinstance(content[0], dict) and "annotations" in content[0]:
            return _label_studio(content, path, width, height)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ReidopsError(f"{path}: {fault}; expected COCO with track ids, or Label Studio's JSON export") from None
    raise ReidopsError(
        f"{path}: is neither COCO (images, annotations) nor Label Studio's JSON export of a video; export it in one of "
        f"these formats"
    )


def _coco(content: dict[str, Any], path: Path, files: FrameFiles) -> Exported:
    frame_of = {name: place for place, name in enumerate(files.names, 1)}
    images = {image["id"]: Path(image["file_name"].replace("\\", "/")).name for image in content["images"]}
    names = {category["id"]: str(category["name"]) for category in content.get("categories", [])}
    rows, ignored = [], 0
    for box in content["annotations"]:
        if box.get("iscrowd") or box.get("ignore"):
            ignored += 1
            continue
        picture = images[box["image_id"]]
        if picture not in frame_of:
            raise ReidopsError(
                f"{path}: names the picture {picture}, which is not among the frames; add it to the folder of the "
                f"frames, or export the annotations of this sequence"
            )
        left, top, width, height = map(float, box["bbox"])
        name = names.get(box.get("category_id"), "person" if not names else "unknown")
        rows.append((frame_of[picture], _track_id(box, path), (left, top, width, height), True, name, 1.0))
    return exported(rows, f"COCO with track ids; {ignored:,} crowds are left out", path)


def _track_id(box: dict[str, Any], path: Path) -> int:
    places = (box, box.get("attributes") or {})
    found = next((place[key] for place in places for key in _TRACK_IDS if place.get(key) is not None), None)
    if found is None:
        raise ReidopsError(
            f"{path}: annotation {box.get('id')} has no track_id, which identifies the person across frames; export "
            f"the tracks (CVAT: 'CVAT for video 1.1' or 'MOT 1.1')"
        )
    return int(found)


def _label_studio(content: list[dict[str, Any]], path: Path, width: int, height: int) -> Exported:
    if len(content) != 1:
        raise ReidopsError(f"{path}: holds {len(content)} tasks; export each video to a separate file")
    results = [
        result
        for result in content[0]["annotations"][0]["result"]
        if result.get("type") == "videorectangle" and result["value"].get("sequence")
    ]
    if not results:
        raise ReidopsError(f"{path}: its first annotation holds no video rectangle; annotate the video and export it")
    rows = []
    for number, result in enumerate(results, 1):
        value = result["value"]
        keys = [_keyframe(key, width, height) for key in value["sequence"]]
        name = (value.get("labels") or ["person"])[0]
        open_until = None if not value["sequence"][-1].get("enabled", True) else value.get("framesCount")
        rows += [(frame, number, box, True, str(name), 1.0) for frame, box, _ in fill_track(keys, open_until)]
    return exported(rows, "Label Studio's format, interpolated between keyframes", path)


def _keyframe(key: dict[str, Any], width: int, height: int) -> Keyframe:
    left, top, box_width, box_height = (float(key[name]) / 100 for name in ("x", "y", "width", "height"))
    box = (left * width, top * height, box_width * width, box_height * height)
    return Keyframe(int(key["frame"]), box, not key.get("enabled", True))
