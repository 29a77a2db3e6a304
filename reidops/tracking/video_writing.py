"""Videos that appear under their name only when they are whole."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from tqdm import tqdm

from reidops.errors import ReidopsError
from reidops.files import whole_file

CODECS = ("avc1", "vp09", "mp4v")
AVI_CODECS = ("MJPG", "XVID", "mp4v")
"""Four-letter codes that OpenCV may know. Browsers play avc1 and vp09. OpenCV's wheels hold no avc1, and their vp09 takes a hundred times
as long as mp4v (960 × 540 px: 300 against 3 CPU ms a picture), which every player but a browser knows."""

DEFAULT_CODEC = "mp4v"


class VideoWriter:
    """Take pictures of one size, one after the other; made by `open_video`."""

    def __init__(self, path: Path, partial: Path, frame_rate: float, codec: str) -> None:
        self._path = path
        self._partial = partial
        self._frame_rate = frame_rate
        self._codec = codec
        self._stream: cv2.VideoWriter | None = None
        self._shape: tuple[int, ...] = ()
        self.num_frames = 0

    def write(self, picture: np.ndarray) -> None:
        """Append a picture, BGR uint8 [h, w, 3]; the first one tells the size. An odd last row or column is left out.

        Raises:
            ReidopsError: it is of another size than the first (OpenCV would drop it and say nothing), or the codec is not there.
        """
        self.num_frames += 1
        self._check(picture)
        if self._stream is None:
            self._shape = picture.shape
            self._stream = _open(self._path, self._partial, self._frame_rate, picture.shape[1::-1], self._codec)
        self._stream.write(np.ascontiguousarray(picture))

    def close(self) -> None:
        """End the file; it is not yet looked at."""
        if self._stream is not None:
            self._stream.release()

    def _check(self, picture: np.ndarray) -> None:
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < 2:
            raise ReidopsError(
                f"{self._path}: picture {self.num_frames} is {picture.dtype} {list(picture.shape)}, expected BGR uint8 [h, w, 3]"
                " of at least 2 × 2 px"
            )
        if self._stream is not None and picture.shape != self._shape:
            (height, width), (first_height, first_width) = picture.shape[:2], self._shape[:2]
            raise ReidopsError(
                f"{self._path}: picture {self.num_frames} is {width} × {height} px, the first was {first_width} × {first_height};"
                " a video has one size: scale the pictures first"
            )


@contextmanager
def open_video(path: Path, frame_rate: float, *, codec: str = DEFAULT_CODEC) -> Iterator[VideoWriter]:
    """Yield a writer; the video is renamed to `path` when the block ends well and it can be read again, deleted otherwise.

    Args:
        path: its suffix names the container, .mp4 for `CODECS`, .avi for `AVI_CODECS`.
        frame_rate: pictures per second.
        codec: one of `available_codecs(path.suffix)`.

    Raises:
        ReidopsError: the codec is not there, pictures differ in size, there was none, or not all of them are in the file.
    """
    path = Path(path)
    if not (np.isfinite(frame_rate) and frame_rate > 0):
        raise ReidopsError(f"{path}: a frame rate of {frame_rate} pictures per second; expected a number above 0")
    with whole_file(path) as partial:
        # OpenCV chooses the container by the suffix, which a partial name does not have.
        named = partial.with_name(f"{partial.name}{path.suffix}")
        writer = VideoWriter(path, named, frame_rate, codec)
        try:
            try:
                yield writer
            finally:
                writer.close()
            _check_whole(named, path, writer.num_frames)
            os.replace(named, partial)
        finally:
            named.unlink(missing_ok=True)


def write_video(
    pictures: Iterable[np.ndarray], path: Path, frame_rate: float, *, codec: str = DEFAULT_CODEC, num_frames: int | None = None
) -> int:
    """Write all pictures with a progress bar and return how many there were; see `open_video`.

    Args:
        num_frames: how many are expected, for the bar.
    """
    with open_video(path, frame_rate, codec=codec) as video:
        for picture in tqdm(pictures, total=num_frames, desc=f"write {Path(path).name}", unit="frame", disable=None, leave=False):
            video.write(picture)
    return video.num_frames


@cache
def available_codecs(suffix: str = ".mp4") -> tuple[str, ...]:
    """Return those codecs that OpenCV can write here into a container, tried with a picture each."""
    with TemporaryDirectory() as folder:
        return tuple(codec for codec in (AVI_CODECS if suffix == ".avi" else CODECS) if _is_there(Path(folder) / f"{codec}{suffix}", codec))


def usual_codec(suffix: str = ".mp4") -> str | None:
    """Return the default codec, another one where OpenCV was built without it, None where it writes no video of this kind."""
    with TemporaryDirectory() as folder:
        if _is_there(Path(folder) / f"tried{suffix}", DEFAULT_CODEC):
            return DEFAULT_CODEC
    return next(iter(available_codecs(suffix)), None)


def _is_there(path: Path, codec: str) -> bool:
    with _quiet():
        stream = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 25.0, (64, 64))
        opened = stream.isOpened()
        stream.write(np.zeros((64, 64, 3), np.uint8))
        stream.release()
    return opened and _num_frames(path) == 1


def _open(path: Path, partial: Path, frame_rate: float, size: tuple[int, int], codec: str) -> cv2.VideoWriter:
    """Open OpenCV's writer for pictures of `size`, width and height in px."""
    if len(codec) == 4:
        with _quiet():
            stream = cv2.VideoWriter(str(partial), cv2.VideoWriter_fourcc(*codec), float(frame_rate), size)
        if stream.isOpened():
            return stream
    there = ", ".join(available_codecs(path.suffix)) or "none: name the file .mp4"
    raise ReidopsError(
        f"{path}: OpenCV cannot write {size[0]} × {size[1]} px with the codec {codec!r} here; codecs that are there for {path.suffix}: {there}"
    )


def _check_whole(partial: Path, path: Path, num_frames: int) -> None:
    """Refuse a file that does not hold all frames: OpenCV says nothing when a disk is full."""
    if not num_frames:
        raise ReidopsError(f"{path}: no picture was written, and a video has at least one; look at what should have made them")
    found = _num_frames(partial)
    if found != num_frames:
        raise ReidopsError(f"{path}: holds {found} of {num_frames} pictures; is the disk full, or the codec broken? Free space or name another codec")


def _num_frames(path: Path) -> int:
    """Return the frames that a container says to hold, 0 where it cannot be read."""
    with _quiet():
        stream = cv2.VideoCapture(str(path))
        found = int(stream.get(cv2.CAP_PROP_FRAME_COUNT)) if stream.isOpened() else 0
        stream.release()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from telling on the terminal what is told here in a sentence."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
