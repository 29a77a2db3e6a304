"""The frames of a video, one at a time: a file that OpenCV reads, or a folder of pictures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from reidops.boxes.box_crops import read_picture
from reidops.errors import ReidopsError
from reidops.image_headers import check_size
from reidops.mot.sequences import read_sequence

DEFAULT_FRAME_RATE = 25.0  # fps, of a folder that does not say
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp")


class BrokenOff(ReidopsError):
    """A video ends before its end: all frames before were given, and what was made of them is good."""


class Video(Protocol):
    """Something that has frames, in order."""

    frame_rate: float  # fps

    @property
    def num_frames(self) -> int | None:
        """Return the number of frames that the video states; None where it states none."""

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number, picture) of every frame, 1-based, BGR uint8 [h, w, 3].

        Raises:
            BrokenOff: a frame that should be there is missing or damaged; says which.
        """


def read_video(path: Path) -> Video:
    """Return the video in a file, or in a folder of pictures: `img1`, or the sequence's folder that holds it.

    Raises:
        ReidopsError: nothing is there, or no frame of it can be read.
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
        self.num_frames = round(stated) if 0 < stated < 1e9 else None  # a stream without an index states nonsense
        self.frame_rate = rate if 0 < rate <= 1000 else DEFAULT_FRAME_RATE

    def frames(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield every frame; see `Video`. The end of a file that does not say how long it is, is its end."""
        capture = self._open()
        number = 0
        try:
            while True:
                there, picture = capture.read()
                if not there:
                    break
                number += 1
                yield number, picture
        finally:
            capture.release()
        if self.num_frames is not None and number < self.num_frames:
            raise BrokenOff(
                f"{self._path}: broke off after frame {number} of {self.num_frames}: the file is cut off or damaged "
                f"there"
            )

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path))
        check_size(
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), str(self._path)
        )
        if not capture.isOpened() or not capture.grab():
            raise ReidopsError(
                f"{self._path}: OpenCV cannot read it: it is no video, it is cut off before its first frame or index, "
                f"or its codec is"
                f" not there; write it anew with `ffmpeg -i {self._path.name} -c:v mpeg4 -q:v 2 readable.mp4`"
            )
        capture.release()
        return cv2.VideoCapture(str(self._path))


class PictureFolder:
    """A folder of pictures named by their frame's number, as MOTChallenge's img1; one that begins at 0 is counted from
    1.
    """

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
            f"{folder}: {found}; expected a folder of frames that are named by their numbers, 000001.jpg, 000002.jpg, …"
        )
    shift = 1 if any(int(path.stem) == 0 for path in paths) else 0
    numbered = {int(path.stem) + shift: path for path in paths}
    if len(numbered) < len(paths):
        raise ReidopsError(
            f"{folder}: a frame is there twice ({len(paths)} pictures, {len(numbered)} numbers); remove one of them"
        )
    return numbered
