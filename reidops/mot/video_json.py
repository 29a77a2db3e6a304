"""Read ground truth in JSON: COCO with track ids, Label Studio's export of videos, BDD100K and PersonPath22."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reidops.errors import ReidopsError
from reidops.mot.bdd100k import bdd100k_frames, read_bdd100k
from reidops.mot.exported import OCCLUDED, Exported, Keyframe, exported, fill_track, upright
from reidops.mot.frame_files import FrameFiles
from reidops.mot.personpath22 import is_personpath22, read_personpath22
from reidops.mot.text_rows import read_text

_MOST_MISSING = 0.01  # share of the frames of a video
_FORMATS = "COCO with track ids, Label Studio's JSON of a video, BDD100K-MOT, or PersonPath22"
_TRACK_IDS = ("track_id", "instance_id", "object_id", "trackId")


def read_video_json(path: Path, files: FrameFiles, width: int, height: int) -> Exported:
    """Return the boxes of a JSON file of one sequence.

    Args:
        files: the images of the sequence, to which COCO and BDD100K refer by name.
        width, height: image size in px; Label Studio states boxes in percent of it.

    Raises:
        ReidopsError: the file is not JSON, or has neither format.
    """
    try:
        content = json.loads(read_text(path))
        if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
            return _coco(content, path, files, (width, height))
        if isinstance(content, list) and content and isinstance(content[0], dict) and "annotations" in content[0]:
            return _label_studio(content, path, files, (width, height))
        if is_personpath22(content):
            return read_personpath22(content, path, files)
        if frames := bdd100k_frames(content):
            return read_bdd100k(frames, path, files)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        fault = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ReidopsError(f"{path}: {fault}; expected {_FORMATS}") from None
    raise ReidopsError(f"{path}: has none of the known formats; export it as {_FORMATS}")


def _coco(content: dict[str, Any], path: Path, files: FrameFiles, size: tuple[int, int]) -> Exported:
    frame_of = files.frame_of_name
    images = _images_of_sequence(content["images"], path)
    names = {category["id"]: str(category["name"]) for category in content.get("categories", [])}
    boxes = [box for box in content["annotations"] if box["image_id"] in images]
    others = len(content["annotations"]) - len(boxes)
    kept = [box for box in boxes if not (box.get("iscrowd") or box.get("ignore"))]
    numbers = _numbers([_track_id(box, path) for box in kept])
    rows = []
    for box, number in zip(kept, numbers, strict=True):
        image = images[box["image_id"]]
        picture = _parts(image)[-1]
        if picture not in frame_of:
            raise ReidopsError(
                f"{path}: names the picture {picture}, which is not among the frames; add it to the folder of the "
                f"frames, or export the annotations of this sequence"
            )
        name = names.get(box.get("category_id"), "person" if not names else "unknown")
        visible = OCCLUDED if (box.get("attributes") or {}).get("occluded") is True else 1.0
        rows.append((frame_of[picture], number, _scaled(box["bbox"], image, size), True, name, visible))
    remark = f"COCO with track ids; {len(boxes) - len(kept):,} crowds are left out"
    remark += f", {others:,} boxes are of other sequences" if others else ""
    sizes = {(image.get("width") or size[0], image.get("height") or size[1]) for image in images.values()} - {size}
    remark += f"; boxes are scaled to {size[0]} × {size[1]} px" if sizes else ""
    return exported(rows, remark, path)


def _parts(image: Mapping[str, Any]) -> tuple[str, ...]:
    return PurePosixPath(image["file_name"].replace("\\", "/")).parts


def _images_of_sequence(images: list[dict[str, Any]], path: Path) -> dict[Any, dict[str, Any]]:
    """Return the images by id; if the file holds several sequences, those below a folder of this sequence's name.

    Raises:
        ReidopsError: pictures of several folders have the same name, and no folder is that of the sequence.
    """
    folders = {_parts(image)[:-1] for image in images}
    if len(folders) > 1:
        own = [image for image in images if path.parent.name in _parts(image)[:-1]]
        if not own and len({_parts(image)[-1] for image in images}) < len(images):
            found = ", ".join(sorted("/".join(folder) for folder in folders)[:4])
            raise ReidopsError(
                f"{path}: holds pictures of {len(folders)} folders ({found}) with the same names, and none is "
                f"{path.parent.name}; name the folder of the sequence as in the file, or export each sequence"
            )
        images = own or images
    return {image["id"]: image for image in images}


def _scaled(bbox: list[Any], image: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, ...]:
    """Return a box in px of the frames, which may have another size than the image of the file."""
    scale = [own / float(image.get(side) or own) for own, side in zip(size, ("width", "height"), strict=True)]
    left, top, width, height = map(float, bbox)
    return left * scale[0], top * scale[1], width * scale[0], height * scale[1]


def _numbers(ids: list[Any]) -> list[int]:
    """Return track ids as numbers; if one is a word, all are numbered in the order of their first boxes."""
    try:
        return [int(track) for track in ids]
    except ValueError:
        order = {track: place for place, track in enumerate(dict.fromkeys(map(str, ids)), 1)}
        return [order[str(track)] for track in ids]


def _track_id(box: dict[str, Any], path: Path) -> Any:
    places = (box, box.get("attributes") or {})
    found = next((place[key] for place in places for key in _TRACK_IDS if place.get(key) is not None), None)
    if found is None:
        raise ReidopsError(
            f"{path}: annotation {box.get('id')} has no track_id, which identifies the person across frames; export "
            f"the tracks (CVAT: 'CVAT for video 1.1' or 'MOT 1.1')"
        )
    return found


def _label_studio(content: list[dict[str, Any]], path: Path, files: FrameFiles, size: tuple[int, int]) -> Exported:
    if len(content) != 1:
        raise ReidopsError(f"{path}: holds {len(content)} tasks; export each video to a separate file")
    finished = [one for one in content[0]["annotations"] if not one.get("was_cancelled")]
    results = next(filter(None, (_rectangles(one) for one in finished)), [])
    if not results:
        raise ReidopsError(f"{path}: its annotations hold no video rectangle; annotate the video and export it")
    rows = []
    for number, result in enumerate(results, 1):
        value = result["value"]
        _check_length(value.get("framesCount"), len(files.names), path)
        keys = sorted((_keyframe(key, *size) for key in value["sequence"]), key=lambda key: key.frame)
        name = (value.get("labels") or ["person"])[0]
        open_until = None if keys[-1].ends else min(value.get("framesCount") or 0, len(files.names))
        rows += [(frame, number, box, True, str(name), 1.0) for frame, box, _ in fill_track(keys, open_until)]
    return exported(rows, "Label Studio's format, interpolated between keyframes", path)


def _rectangles(annotation: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        result
        for result in annotation["result"]
        if result.get("type") == "videorectangle" and result["value"].get("sequence")
    ]


def _check_length(stated: int | None, num_frames: int, path: Path) -> None:
    """Check that the pictures are the frames that were annotated; a few at the end may be missing.

    Raises:
        ReidopsError: their numbers differ, so that frame numbers mean other pictures.
    """
    if stated and abs(stated - num_frames) > max(2, _MOST_MISSING * num_frames):
        raise ReidopsError(
            f"{path}: the annotated video has {stated} frames, and there are {num_frames} pictures beside it, so that "
            f"the frames would be shifted; extract the frames at the frame rate of the annotated video (frameRate of "
            f"the tag Video, 25 fps by default)"
        )


def _keyframe(key: dict[str, Any], width: int, height: int) -> Keyframe:
    left, top, box_width, box_height = (float(key[name]) / 100 for name in ("x", "y", "width", "height"))
    box = (left * width, top * height, box_width * width, box_height * height)
    box = upright(box, float(key.get("rotation") or 0), box[:2])  # it rotates around its left upper corner
    return Keyframe(int(key["frame"]), box, not key.get("enabled", True))
