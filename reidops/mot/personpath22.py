"""Read the annotations of PersonPath22 (GluonCV's format): entities with the frame of the video, from 0, and a box.

People are annotated in every k-th frame of a video; between two of these frames they are interpolated. The frames are
those of the video, all of them or those that are annotated.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reidops.errors import ReidopsError
from reidops.mot.exported import Exported, Keyframe, exported, fill_track
from reidops.mot.frame_files import FrameFiles

# Labels of people who are not complete pedestrians; the other keys of `labels` that are not people are left out.
_CLASS_OF = {
    "sitting_person": "static person",
    "person_on_open_vehicle": "rider",
    "person_in_vehicle": "rider",
    "reflection": "reflection",
    "crowd": "crowd",
}
_MOST_MISSING = 2  # frames at the end of a video that may be missing


def is_personpath22(content: Any) -> bool:
    """Return whether a file's JSON content is in this format."""
    return isinstance(content, dict) and isinstance(content.get("entities"), list)


def read_personpath22(content: Mapping[str, Any], path: Path, files: FrameFiles) -> Exported:
    """Return the boxes of a file.

    Args:
        files: the images of the sequence: all frames of the video, or those with the frame numbers of the entities.

    Raises:
        ReidopsError: the images are neither all frames of the video nor the annotated ones.
        KeyError, TypeError, ValueError: a value is missing, or is not a number.
    """
    metadata = content.get("metadata") or {}
    boxes = [_box(entity, metadata) for entity in content["entities"] if entity.get("bb") is not None]
    keyframes = sorted({key.frame for _, _, key in boxes})
    step = _step(keyframes)
    frame_of = _frame_of(files, keyframes, int(metadata.get("number_of_frames") or 0), path)
    tracks: dict[tuple[int, str], list[Keyframe]] = defaultdict(list)
    for number, name, key in boxes:
        tracks[number, name].append(key)
    rows = [
        (frame_of[frame], number, box, True, name, visible)
        for (number, name), keys in tracks.items()
        for run in _runs(keys, step)
        for frame, box, visible in fill_track(run)
        if frame in frame_of
    ]
    between = f", interpolated between every {step}th frame" if step > 1 else ""
    return exported(rows, f"PersonPath22's format{between}", path)


def _box(entity: Mapping[str, Any], metadata: Mapping[str, Any]) -> tuple[int, str, Keyframe]:
    """Return the id, the class name and the box of an entity; its frame is that of the video, from 1."""
    left, top, width, height = map(float, entity["bb"])
    blob = entity.get("blob") or {}
    if "frame_idx" in blob:
        frame = int(blob["frame_idx"])
    else:
        frame = round(float(entity["time"]) * float(metadata["fps"]) / 1000)
    return int(entity["id"]), _class_name(entity.get("labels") or {}), Keyframe(frame + 1, (left, top, width, height))


def _class_name(labels: Mapping[str, Any]) -> str:
    """Return the class name of an entity's labels, e.g. {"person": 1, "sitting_person": 1}."""
    given = [str(label) for label in labels]
    other = next((_CLASS_OF[label] for label in given if label in _CLASS_OF), None)
    people = not given or any("person" in label or "pedestrian" in label for label in given)
    return other or ("person" if people else given[0])


def _step(keyframes: list[int]) -> int:
    """Return the usual distance of two annotated frames."""
    steps = Counter(np.diff(keyframes).tolist())
    return int(steps.most_common(1)[0][0]) if steps else 1


def _runs(keys: list[Keyframe], step: int) -> list[list[Keyframe]]:
    """Return a track's boxes in runs without a missing annotated frame; a person is not interpolated across a gap."""
    ordered = sorted(keys, key=lambda key: key.frame)
    starts = [0, *(k for k in range(1, len(ordered)) if ordered[k].frame - ordered[k - 1].frame > step), len(ordered)]
    return [ordered[first:last] for first, last in zip(starts, starts[1:], strict=False)]


def _frame_of(files: FrameFiles, keyframes: list[int], length: int, path: Path) -> dict[int, int]:
    """Return the 1-based frame of the sequence for each frame of the video (from 1) that has an image.

    Raises:
        ReidopsError: the images are neither all frames of the video nor the annotated ones.
    """
    frames = list(files.frame_of_name.values())
    numbers = dict(zip(files.numbers, frames, strict=True))
    is_whole = not files.has_gaps and len(frames) >= max(keyframes, default=0)
    if is_whole and (not length or abs(len(frames) - length) <= _MOST_MISSING):
        return {place: frame for place, frame in enumerate(frames, 1)}
    found = {number + (0 in numbers): frame for number, frame in numbers.items()}
    if set(keyframes) <= set(found):
        return found
    raise ReidopsError(
        f"{path}: its boxes are in the frames {keyframes[0]} … {keyframes[-1]} of a video of {length or 'unknown'} "
        f"frames, and the {len(frames)} pictures are neither all of them nor those that have these numbers; extract "
        f"the frames of the video with: ffmpeg -i VIDEO -qscale:v 2 FOLDER/%06d.jpg"
    )
