"""Read the frames of a video one at a time, from a file or from a folder of pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from reidops.boxes.box_crops import read_picture
from reidops.errors import ReidopsError
from reidops.image_headers import check_size
from reidops.mot.sequences import read_sequence

DEFAULT_FRAME_RATE = 25.0  # fps, if the video does not state it
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp")


class BrokenOff(ReidopsError):
    """A video ends too early; all frames before were read, and results made from them are valid."""


class Video(Protocol):
    """A source of frames, in order."""

    frame_rate: float  # fps

    @property
    def num_frames(self) -> int | None:
        """Return the number of frames that the video states; None where it states none."""

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, picture) of every frame, 1-based, BGR uint8 [h, w, 3].

        Raises:
            BrokenOff: a frame is missing or damaged; the message gives its number.
        """


def read_video(path: Path) -> Video:
    """Return the video in a file, or in a folder of pictures (`img1`, or the sequence's folder that contains it).

    Raises:
        ReidopsError: the path does not exist, or no frame can be read.
    """
    path = Path(path)
    if path.is_dir():
        return PictureFolder(path / "img1" if (path / "img1").is_dir() else path)
    if not path.is_file():
        raise ReidopsError(f"{path}: no such file; expected a video, or a folder of frames (img1)")
    return VideoFile(path)


class VideoFile:
    """A video that OpenCV decodes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        capture = self._open()
        stated = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        rate = capture.get(cv2.CAP_PROP_FPS)
        capture.release()
        self.num_frames = round(stated) if 0 < stated < 1e9 else None  # invalid for streams without an index
        self.frame_rate = rate if 0 < rate <= 1000 else DEFAULT_FRAME_RATE

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
            raise ReidopsError(
                f"{self._path}: OpenCV cannot read it: the file is not a video, it is truncated, or its codec is not "
                f"installed; convert it with `ffmpeg -i {self._path.name} -c:v mpeg4 -q:v 2 readable.mp4`"
            )
        capture.release()
        return cv2.VideoCapture(str(self._path))


class PictureFolder:
    """A folder of pictures named by frame number, as in MOTChallenge's img1; numbers from 0 are shifted to 1."""

    def __init__(self, folder: Path) -> None:
        self._paths = _numbered(folder)
        self.num_frames = len(self._paths)
        stated = (folder.parent / "seqinfo.ini").is_file()
        self.frame_rate = read_sequence(folder.parent).frame_rate if stated else DEFAULT_FRAME_RATE

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


def _numbered(folder: Path) -> dict[int, Path]:
    """Return the pictures of a folder by their frame's number."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in _PICTURES and not path.name.startswith(".")]
    unnumbered = sorted(path.name for path in paths if not path.stem.isdecimal())
    if not paths or unnumbered:
        found = f"there is {unnumbered[0]}" if unnumbered else "there is no picture"
        raise ReidopsError(
            f"{folder}: {found}; expected a folder of frames that are named by number: 000001.jpg, 000002.jpg, …"
        )
    shift = 1 if any(int(path.stem) == 0 for path in paths) else 0
    numbered = {int(path.stem) + shift: path for path in paths}
    if len(numbered) < len(paths):
        raise ReidopsError(
            f"{folder}: a frame occurs twice ({len(paths)} pictures, {len(numbered)} numbers); remove one of them"
        )
    return numbered
