"""Map the image files of a sequence to frames.

Images are ordered by the number in their names, which may begin at any value and may have words around it. Frames are
counted from 1 in that order. If there are fewer images than seqLength, gaps in the numbers are missing frames.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reidops.errors import ReidopsError

SUFFIXES = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp",
)  # fmt: skip
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class FrameFiles:
    """Images in the order of their numbers: `numbers` and `names`, both [num_pictures].

    `first` is the number of frame 1 if frames are found by number; None if frame k is the k-th image.
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    first: int | None = None

    def name_of(self, frame: int) -> str | None:
        """Return the file name of a 1-based frame, None if the image is missing."""
        if self.first is None:
            return self.names[frame - 1] if 1 <= frame <= len(self.names) else None
        place = frame - 1 + self.first - self.numbers[0]
        number = frame - 1 + self.first
        if 0 <= place < len(self.numbers) and self.numbers[place] == number:
            return self.names[place]
        return dict(zip(self.numbers, self.names, strict=True)).get(number)

    def expected_name(self, frame: int) -> str:
        """Return the expected file name of a 1-based frame, with the pattern of the first image."""
        number = frame - 1 + (self.numbers[0] if self.first is None else self.first)
        digits, stem = list(_NUMBER.finditer(Path(self.names[0]).stem)), Path(self.names[0])
        if not digits:
            return f"{number}{stem.suffix}"
        place = digits[-1] if len(digits) == 1 else _varying(digits, self.names)
        width = min(len(place[0]), *(len(str(n)) for n in self.numbers)) if place[0][0] != "0" else len(place[0])
        return f"{stem.stem[: place.start()]}{number:0{width}d}{stem.stem[place.end() :]}{stem.suffix}"

    @property
    def frame_of_name(self) -> dict[str, int]:
        """Return the 1-based frame of each file name."""
        if self.first is None:
            return {name: place for place, name in enumerate(self.names, 1)}
        return {name: number - self.first + 1 for number, name in zip(self.numbers, self.names, strict=True)}

    @property
    def has_gaps(self) -> bool:
        """Return whether a number between the first and the last is missing."""
        return self.numbers[-1] - self.numbers[0] + 1 != len(self.numbers)


def _varying(digits: list[re.Match], names: tuple[str, ...]) -> re.Match:
    """Return the run of digits of the first name that differs among the names."""
    runs = [_NUMBER.findall(Path(name).stem) for name in names]
    different = [place for place in range(len(digits)) if len({run[place] for run in runs}) > 1]
    return digits[different[0]] if different else digits[-1]


def list_frames(folder: Path, extension: str | None = None, length: int | None = None) -> FrameFiles | None:
    """Return the images of a folder, None if it has none.

    Args:
        extension: preferred file extension, with or without its dot, in any case; other images are ignored if there
            are images with this extension.
        length: number of frames in seqinfo.ini.

    Raises:
        ReidopsError: a name has no number, or two images have the same number.
    """
    names = sorted(_pictures(folder)) if folder.is_dir() else []
    wanted = [name for name in names if extension and name.lower().endswith(_dotted(extension))]
    names = wanted or names
    if not names:
        return None
    numbered = sorted(zip(_numbers(names, folder), names, strict=True))
    numbers, ordered = tuple(n for n, _ in numbered), tuple(name for _, name in numbered)
    twice = next((k for k in range(1, len(numbers)) if numbers[k] == numbers[k - 1]), None)
    if twice is not None:
        raise ReidopsError(
            f"{folder}: a frame is there twice, {ordered[twice - 1]} and {ordered[twice]}; remove one of them, or set "
            f"imExt in seqinfo.ini"
        )
    return FrameFiles(numbers, ordered, _first(numbers, length))


def has_pictures(folder: Path) -> bool:
    """Return whether a folder holds an image."""
    return any(True for _ in _pictures(folder))


def find_pictures(folder: Path) -> Path:
    """Return the folder of the images: `folder` itself, its subfolder img1 or its only subfolder with images.

    Without images, `folder` is returned.

    Raises:
        ReidopsError: several subfolders hold images.
    """
    if has_pictures(folder):
        return folder
    below = [path for path in sorted(folder.iterdir()) if path.is_dir() and has_pictures(path)]
    named = [path for path in below if path.name == "img1"] or below
    if len(named) > 1:
        raise ReidopsError(
            f"{folder}: there are pictures in {', '.join(path.name for path in named)}; keep only the folder of the "
            f"frames, or set imDir in seqinfo.ini"
        )
    return named[0] if named else folder


def is_video(path: Path) -> bool:
    """Return whether a path has the suffix of a video.

    >>> is_video(Path("street.MP4")), is_video(Path("img1")), is_video(Path("000001.jpg"))
    (True, False, False)
    """
    return path.suffix.lower() in VIDEO_SUFFIXES


def _pictures(folder: Path) -> Iterable[str]:
    return (path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def _dotted(extension: str) -> str:
    return "." + extension.strip().lstrip(".").lower()


def _numbers(names: list[str], folder: Path) -> list[int]:
    """Return the number in each name: its only number, or the one that differs among the names.

    If several numbers differ, as in dates, the position in sorted order is used, from 1.
    """
    runs = [tuple(int(run) for run in _NUMBER.findall(Path(name).stem)) for name in names]
    if any(not run for run in runs):
        bare = next(name for name, run in zip(names, runs, strict=True) if not run)
        raise ReidopsError(
            f"{folder}: the name {bare} has no number; name the frames by their numbers, 000001.jpg, 000002.jpg, …"
        )
    if len({len(run) for run in runs}) > 1:
        return [run[-1] for run in runs]
    different = [place for place in range(len(runs[0])) if len({run[place] for run in runs}) > 1]
    if len(different) <= 1:
        return [run[different[0] if different else -1] for run in runs]
    order = {run: place for place, run in enumerate(sorted(set(runs)), 1)}
    return [order[run] for run in runs]


def _first(numbers: tuple[int, ...], length: int | None) -> int | None:
    """Return the number of frame 1 if frames are found by number, None if frame k is the k-th image.

    If there are at least as many images as frames, the first images are the frames. With fewer images, some frames are
    missing; numbers then count from 1, or from 0 if there is an image 0.
    """
    if length is None or len(numbers) >= length:
        return None
    return min(numbers[0], 1)
