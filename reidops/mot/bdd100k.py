"""Read the labels of BDD100K-MOT (box_track_20, Scalabel's format): a list of frames with the boxes of each.

A frame is found by the name of its picture. Boxes are corners in 0-based px. Boxes with the attribute `crowd` are left
out.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reidops.errors import ReidopsError
from reidops.mot.exported import OCCLUDED, Exported, exported
from reidops.mot.frame_files import FrameFiles


def bdd100k_frames(content: Any) -> list[dict[str, Any]] | None:
    """Return the frames of a file's JSON content, None if it is not in this format."""
    frames = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(frames, list) or not frames:
        return None
    named = all(isinstance(frame, dict) and "name" in frame for frame in frames)
    return frames if named and any("labels" in frame for frame in frames) else None


def read_bdd100k(frames: list[dict[str, Any]], path: Path, files: FrameFiles) -> Exported:
    """Return the boxes of `bdd100k_frames`.

    Args:
        files: the images of the sequence.

    Raises:
        ReidopsError: a picture with boxes is not among the images, or a box has no id.
        KeyError, TypeError, ValueError: a value is missing, or is not a number.
    """
    own = _of_sequence(frames, path)
    frame_of, numbers, rows = files.frame_of_name, dict[str, int](), []
    crowds = 0
    for frame in own:
        picture = PurePosixPath(frame["name"]).name
        for label in frame.get("labels") or []:
            box, attributes = label.get("box2d"), label.get("attributes") or {}
            crowds += bool(attributes.get("crowd"))
            if not box or attributes.get("crowd"):
                continue
            if picture not in frame_of:
                raise ReidopsError(f"{path}: names the picture {picture}, which is not among the frames; add it")
            number = numbers.setdefault(_identity(label, path), len(numbers) + 1)
            visible = OCCLUDED if attributes.get("occluded") is True else 1.0
            rows.append((frame_of[picture], number, _ltwh(box), True, str(label["category"]), visible))
    others = f", {len(frames) - len(own):,} frames are of other videos" if len(own) < len(frames) else ""
    return exported(rows, f"BDD100K's format; {crowds:,} crowds are left out{others}", path)


def _of_sequence(frames: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """Return the frames of the video that has the name of the file or of its folder; all if the file has one video.

    Raises:
        ReidopsError: the file holds several videos, and none has one of these names.
    """
    videos = {_video(frame) for frame in frames}
    if len(videos) < 2:
        return frames
    own = videos & {path.stem, path.parent.name}
    if not own:
        raise ReidopsError(
            f"{path}: holds {len(videos)} videos ({', '.join(sorted(videos)[:3])}), and none is {path.parent.name}; "
            f"name the folder of the sequence as in the file, or write one file per video"
        )
    return [frame for frame in frames if _video(frame) in own]


def _video(frame: Mapping[str, Any]) -> str:
    return str(frame.get("videoName") or frame.get("video_name") or "")


def _identity(label: Mapping[str, Any], path: Path) -> str:
    if label.get("id") is None:
        raise ReidopsError(
            f"{path}: a box has no id, which identifies the person across frames; use the labels of box_track_20, "
            f"because those of det_20 have no identities"
        )
    return str(label["id"])


def _ltwh(box: Mapping[str, Any]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(box[side]) for side in ("x1", "y1", "x2", "y2"))
    return left, top, right - left, bottom - top
