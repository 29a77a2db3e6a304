"""Read the frames of a video one at a time, from a file or from a folder of pictures."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np

from reidops.boxes.box_crops import read_picture
from reidops.errors import ReidopsError
from reidops.image_headers import check_size
from reidops.mot.frame_files import find_pictures, list_frames
from reidops.mot.sequences import read_sequence
from reidops.streams import Stream, is_stream

logger = logging.getLogger(__name__)

DEFAULT_FRAME_RATE = 25.0  # fps, if the video does not state it


class BrokenOff(ReidopsError):
    """A video ends too early; all frames before were read, and results made from them are valid."""


class Video(Protocol):
    """A source of frames, in order."""

    frame_rate: float  # fps

    @property
    def times(self) -> list[float] | None:
        """Return the times of the frames in seconds from the first where their distance varies, else None or []."""

    @property
    def num_frames(self) -> int | None:
        """Return the number of frames that the video states; None where it states none."""

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, picture) of every frame, 1-based, BGR uint8 [h, w, 3].

        Raises:
            BrokenOff: a frame is missing or damaged; the message gives its number.
        """


def read_video(path: Path | str) -> Video:
    """Return the video in a file, in a folder of pictures (`img1`, imDir of seqinfo.ini, or the sequence's folder), at
    an address (rtsp://…) or of a camera number.

    Raises:
        ReidopsError: the path does not exist, or no frame can be read.
    """
    if is_stream(str(path)) and not Path(path).exists():
        return Stream(str(path))
    path = Path(path)
    if path.is_dir():
        return PictureFolder(path)
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; expected a video, or a folder of frames (img1)")
    return VideoFile(path)


def sequence_folder(path: Path) -> Path | None:
    """Return the folder of the sequence that `path` is, or whose frames it holds; None for none."""
    if (path / "seqinfo.ini").is_file():
        return path
    parents = [folder for folder in path.resolve().parents[:2] if (folder / "seqinfo.ini").is_file()]
    is_own = parents and read_sequence(parents[0]).frames_dir.resolve() == path.resolve()
    return parents[0] if is_own else None


class VideoFile:
    """A video that OpenCV decodes; `times` are those of its frames in seconds where their distance varies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        capture = self._open()
        stated = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        rate = capture.get(cv2.CAP_PROP_FPS)
        capture.release()
        self.num_frames = round(stated) if 0 < stated < 1e9 else None  # invalid for streams without an index
        self.frame_rate = rate if 0 < rate <= 1000 else DEFAULT_FRAME_RATE
        self.times = varying_times(path)
        if self.times:
            self.num_frames = len(self.times)
            span = self.times[-1] - self.times[0]
            self.frame_rate = min(max((len(self.times) - 1) / span, 0.001), 1000.0)
            logger.info(
                "%s: the frame rate varies, %.3g fps in the mean; frames of the output keep their times",
                path,
                self.frame_rate,
            )

    @property
    def picture_numbers(self) -> range | None:
        """Return the numbers of the frames; None where their number is not known."""
        return range(1, self.num_frames + 1) if self.num_frames else None

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield every frame; see `Video`. If the file does not state its length, it is read to its end."""
        capture = self._open()
        number = 0
        try:
            while True:
                is_read, picture = capture.read()
                if not is_read:
                    break
                number += 1
                yield number, picture
        finally:
            capture.release()
        if self.num_frames is not None and number < self.num_frames:
            if is_whole(self._path, number):
                logger.info(
                    "%s: states %d frames and has %d: it is read to its end", self._path, self.num_frames, number
                )
                return
            raise BrokenOff(
                f"{self._path}: broke off after frame {number} of {self.num_frames}; the file is truncated "
                "or damaged there"
            )

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path))
        check_size(
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), str(self._path)
        )
        if not capture.isOpened() or not capture.grab():
            fault = _foreign(self._path)
            if fault:
                raise ReidopsError(f"{self._path}: {fault}")
            raise ReidopsError(
                f"{self._path}: OpenCV cannot read it: the file is not a video, it is truncated, or its codec is not "
                f"installed; convert it with `ffmpeg -i {self._path.name} -c:v mpeg4 -q:v 2 readable.mp4`"
            )
        capture.release()
        return cv2.VideoCapture(str(self._path))


def _foreign(path: Path) -> str:
    """Return what a file is that cannot be a video, and what to do; an empty string if it is not known."""
    with open(path, "rb") as stream:
        start = stream.read(512)
    text = start.lstrip().lower()
    if not start:
        return "is empty (0 bytes); copy or download it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the video; get it with `git lfs pull`"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is a web page, not the video; download it from its direct address"
    if start.startswith((b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        return "is a compressed archive; unpack it and name the video in it"
    return ""


class PictureFolder:
    """A folder of pictures named by frame number, as in MOTChallenge's img1.

    Numbers from 0 are shifted to 1, and numbers at even steps (5, 10, 15 …) are replaced by 1, 2, 3 ….
    `picture_numbers` are the numbers in the names, `numbers` those of the frames, both ascending.
    """

    times: None = None

    def __init__(self, folder: Path) -> None:
        root = sequence_folder(folder)
        sequence = read_sequence(root) if root else None
        if sequence is not None:
            folder = sequence.frames_dir
        else:
            folder = find_pictures(folder)
        files = list_frames(folder, sequence.extension if sequence else None)
        if files is None:
            raise ReidopsError(
                f"{folder}: there is no picture; expected a folder of frames that are named by their numbers, "
                f"000001.jpg, 000002.jpg, …"
            )
        self.picture_numbers = files.numbers
        self.numbers = _frame_numbers(files.numbers)
        self._paths = dict(zip(self.numbers, (folder / name for name in files.names), strict=True))
        self.num_frames = len(self._paths)
        self.frame_rate = sequence.frame_rate if sequence else DEFAULT_FRAME_RATE

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield every frame; see `Video`."""
        expected = min(self._paths)
        for number, path in sorted(self._paths.items()):
            if number != expected:
                raise BrokenOff(f"{path.parent}: broke off after frame {expected - 1}: the next picture is {path.name}")
            try:
                picture = read_picture(path)
            except ReidopsError as error:
                raise BrokenOff(f"broke off after frame {number - 1}: {error}") from None
            yield number, picture
            expected += 1


def _frame_numbers(numbers: tuple[int, ...]) -> tuple[int, ...]:
    steps = set(np.diff(numbers).tolist())
    if len(steps) == 1 and steps != {1} and len(numbers) > 2:
        return tuple(range(1, len(numbers) + 1))
    return tuple(number + (numbers[0] == 0) for number in numbers)


def varying_times(path: Path) -> list[float]:
    """Return the times of a file's frames in seconds from the first; [] where their distance is constant."""
    try:
        with av.open(str(path.absolute())) as container:
            stream = container.streams.video[0]
            shown = sorted(
                float(packet.pts * packet.time_base)
                for packet in container.demux(stream)
                if packet.pts is not None and packet.size
            )
    except (av.FFmpegError, IndexError):
        return []
    steps = np.diff(shown)
    if len(steps) < 2 or steps.min() <= 0 or steps.max() - steps.min() < max(0.25 * np.median(steps), 0.002):
        return []
    return [second - shown[0] for second in shown]


def is_whole(path: Path, num_frames: int) -> bool:
    """Tell whether a file holds no more than the `num_frames` that were read, whatever its header states."""
    data = path.open("rb").read(12)
    if data[:4] == b"RIFF" and int.from_bytes(data[4:8], "little") + 8 > path.stat().st_size:
        return False
    try:
        with av.open(str(path.absolute())) as container:
            stream = container.streams.video[0]
            packets = [packet for packet in container.demux(stream) if packet.size]
    except (av.FFmpegError, IndexError):
        return False
    damaged = any(packet.is_corrupt for packet in packets)
    # a few frames before the start of an edit list, or without a picture, are never shown
    return (
        not damaged
        and bool(packets)
        and (data[:4] == b"RIFF" or stream.frames in (0, len(packets)))
        and (len(packets) - num_frames <= max(2, len(packets) // 20))
    )
