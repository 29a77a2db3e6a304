"""The pictures of a sequence: timelines, identity switches, annotated frames, clips of the worst windows."""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from reidops.boxes.embeddings import read_frame
from reidops.files import whole_file
from reidops.mot.sequences import Sequence, read_sequence
from reidops.parts import Part
from reidops.tracking.evaluation.moments import Moment
from reidops.tracking.evaluation.reasons import explain
from reidops.tracking.evaluation.switches import find_switches
from reidops.tracking.pictures.clips import Clip, clip_length, marks_by_frame, worst_windows, write_clip
from reidops.tracking.pictures.frames import annotate_frame
from reidops.tracking.pictures.switch_sheet import draw_switches
from reidops.tracking.pictures.timelines import draw_timeline

SHOWN_ARMS = ("appearance", "no_appearance")
"""The arm whose mistakes are shown: the model's; of a tracker that knows no appearance its only one."""

TIMELINE_ARMS = ("no_appearance", "appearance", "oracle")


class PicturedArm(Protocol):
    """The fields of `ArmResult` that are drawn: tracks, events and moments of one arm and sequence."""

    arm: str
    sequence: str
    tracks: pd.DataFrame
    events: pd.DataFrame
    moments: Mapping[int, Moment]


@dataclass(frozen=True)
class PictureBounds:
    """The largest number of pictures of each kind per sequence; every `frame_stride`-th frame was tracked."""

    num_switches: int = 8
    num_frames: int = 3
    num_clips: int = 1
    frame_stride: int = 1


def write_pictures(part: Part, arms: Rows[PicturedArm], folder: Path, bounds: PictureBounds = PictureBounds()) -> None:
    """Write a sequence's timelines of three arms and the switches, frames and clips of the model's arm.

    Writes `timelines/<sequence>.png`, `switches/<sequence>.png`, `frames/<sequence>-<frame>.jpg`,
    `clips/<sequence>-<frame>.mp4`.

    Raises:
        ReidopsError: a frame is missing or broken.
    """
    sequence = read_sequence(part.folder)
    of_sequence = {result.arm: result for result in arms if result.sequence == part.sequence}
    shown = next(of_sequence[arm] for arm in SHOWN_ARMS if arm in of_sequence)
    frames = part.frames(bounds.frame_stride)
    timelines = {arm: of_sequence[arm].events for arm in TIMELINE_ARMS if arm in of_sequence}
    _save(draw_timeline(timelines, part.sequence), folder / "timelines" / f"{part.sequence}.png")
    _write_switches(sequence, shown, folder / "switches" / f"{part.sequence}.png", bounds.num_switches)
    _write_frames(sequence, shown, frames, folder / "frames", bounds.num_frames)
    _write_clips(sequence, shown, frames, folder / "clips", bounds.num_clips)


def _write_switches(sequence: Sequence, shown: PicturedArm, path: Path, num_switches: int) -> None:
    if switches := find_switches(shown.events, num_switches):
        reasons = [explain(switch, shown.moments, shown.tracks) for switch in switches]
        _save(draw_switches(sequence, shown.tracks, switches, reasons), path)


def _write_frames(sequence: Sequence, shown: PicturedArm, frames: range, folder: Path, num_frames: int) -> None:
    """Write frames at equal distances from the tracked ones."""
    marks = marks_by_frame(shown.events)
    for place in np.linspace(0, len(frames) - 1, num_frames + 2).round().astype(int)[1:-1].tolist():
        frame = frames[place]
        picture = annotate_frame(
            read_frame(sequence, frame), shown.tracks[shown.tracks["frame"] == frame], marks.get(frame)
        )
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        with whole_file(folder / f"{sequence.name}-{frame:06d}.jpg") as temporary:
            temporary.write_bytes(encoded.tobytes())


def _write_clips(sequence: Sequence, shown: PicturedArm, frames: range, folder: Path, num_clips: int) -> None:
    for window in worst_windows(shown.events, frames, num_clips, clip_length(sequence.frame_rate / frames.step)):
        write_clip(
            Clip(sequence, shown.tracks, shown.events, window), folder / f"{sequence.name}-{window.start:06d}.mp4"
        )


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
