"""Short videos of the windows with the most identity errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from reidops.boxes.embeddings import read_frame
from reidops.mot.sequences import Sequence
from reidops.tracking.evaluation.held import held_rows, mistaken_rows
from reidops.tracking.evaluation.switches import Switch, find_switches, switch_table
from reidops.tracking.pictures.frames import BOX, MISTAKE, add_caption, annotate_frame
from reidops.tracking.pictures.video_writing import write_video

_SECONDS = 2.0
_MOST_FRAMES = 60
_WIDTH = 960  # px, at most
_NO_SWITCH = (30, 30, 30)  # RGB
_NOTE = "red frame: the track is matched to a person who is not its own"
_HOLD_SECONDS = 0.4  # pause at a switch


def clip_length(frame_rate: float) -> int:
    """Return the number of frames of a clip."""
    return int(np.clip(round(_SECONDS * frame_rate), 2, _MOST_FRAMES))


def worst_windows(events: pd.DataFrame, frames: range, num_windows: int, length: int) -> list[range]:
    """Return the windows of `length` frames with the most identity errors, the worst first.

    They do not overlap, and each has an error. A switch has the weight `Switch.num_torn`, a frame in which a person is
    matched to a track that is not their own has weight 1.
    """
    length = min(length, len(frames))
    # Errors in the middle of a window have the largest weight, so that a clip shows the frames before and after.
    weights = np.hanning(length + 2)[1:-1]
    sums = np.convolve(_error_weights(events, frames), weights, "valid")  # by the first frame of a window
    windows: list[range] = []
    while len(windows) < num_windows and sums.max() > 0:
        first = int(sums.argmax())
        windows.append(frames[first : first + length])
        sums[max(0, first - length + 1) : first + length] = 0
    return windows


def _error_weights(events: pd.DataFrame, frames: range) -> np.ndarray:
    weights = np.zeros(len(frames))
    np.add.at(weights, _places(mistaken_rows(events), frames), 1.0)
    switches = switch_table(held_rows(events))
    np.add.at(weights, _places(switches, frames), switches["torn"].to_numpy(dtype=float))
    return weights


def _places(rows: pd.DataFrame, frames: range) -> np.ndarray:
    """Return the place of each row's frame among the frames, [num_rows]."""
    return (rows["frame"].to_numpy(dtype=int) - frames.start) // frames.step


@dataclass(frozen=True)
class Clip:
    """Some frames of a sequence with an arm's tracks and events."""

    sequence: Sequence
    tracks: pd.DataFrame
    events: pd.DataFrame
    frames: range


def write_clip(clip: Clip, path: Path) -> None:
    """Write a clip, at most 960 px wide; the picture pauses at every switch.

    Raises:
        ReidopsError: a frame is missing or broken.
    """
    write_video(_pictures(clip), path, clip.sequence.frame_rate / clip.frames.step)


def _pictures(clip: Clip) -> Iterator[np.ndarray]:
    """Yield the annotated pictures, BGR, all of one size."""
    tracks = {int(frame): rows for frame, rows in clip.tracks[clip.tracks["frame"].isin(clip.frames)].groupby("frame")}
    marks = marks_by_frame(clip.events)
    switches = find_switches(clip.events, frames=clip.frames)
    for frame in clip.frames:
        small, scale = _read_small(clip.sequence, frame)
        rows = tracks.get(frame, clip.tracks[:0])
        scene = annotate_frame(small, rows.assign(**{name: rows[name] * scale for name in BOX}), marks.get(frame))
        now = [switch for switch in switches if switch.after.frame == frame]
        captioned = add_caption(
            scene, _caption(clip.sequence, frame, now), _NOTE, colour=MISTAKE if now else _NO_SWITCH
        )
        for _ in range(1 + (round(_HOLD_SECONDS * clip.sequence.frame_rate / clip.frames.step) if now else 0)):
            yield captioned


def _read_small(sequence: Sequence, frame: int) -> tuple[np.ndarray, float]:
    """Return a frame at most 960 px wide, and the scale of its boxes."""
    halved = sequence.width >= 2 * _WIDTH
    small, scale = shrink(read_frame(sequence, frame, halved=halved))
    return small, scale / 2 if halved else scale


def marks_by_frame(events: pd.DataFrame) -> dict[int, dict[int, str]]:
    """Return frame → tracker_id → what to write at a track that holds a person who is not its own."""
    wrong = mistaken_rows(events)
    marks: dict[int, dict[int, str]] = {}
    for frame, tracker_id, person in zip(wrong["frame"], wrong["tracker_id"], wrong["track_id"], strict=True):
        marks.setdefault(int(frame), {})[int(tracker_id)] = f"= person {person}"
    return marks


def _caption(sequence: Sequence, frame: int, switches: list[Switch]) -> str:
    changes = ", ".join(
        f"person {s.after.track_id} from track {s.before.tracker_id} to {s.after.tracker_id}" for s in switches
    )
    return f"{sequence.name}, frame {frame}" + (f": {changes}" if changes else "")


def shrink(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a picture at most 960 px wide, with even sides, and the scale of its boxes."""
    height, width = picture.shape[:2]
    scale = min(1.0, _WIDTH / width)
    size = (max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2))
    return (picture if size == (width, height) else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)), scale
