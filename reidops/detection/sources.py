"""Sources of detections: the det.txt of a sequence, files of the user, or a detector that runs on the frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from reidops.detection.file_formats import is_onnx, refuse_other_formats
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.files import repository_path
from reidops.mot.sequences import Sequence, read_detections, read_detections_of

PUBLIC = "public"
_SIDES = ("left", "top", "width", "height")
_PLACES = ("{name}.txt", "{name}/det/det.txt", "{name}/det.txt")


class Source(Protocol):
    """A source of the detections of sequences."""

    def detections(self, sequence: Sequence, frames: range) -> pd.DataFrame:
        """Return the detections of the 1-based `frames` of a sequence (tables.DETECTIONS), px 0-based."""


def open_source(
    name: str, settings: DetectorSettings = DetectorSettings(), scale: float | Mapping[str, float] = 1.0
) -> Source:
    """Return the source of a name: `public`, a file or folder, a torchvision detector or `FILE.onnx`.

    Args:
        scale: factor of the boxes of files, one for all sequences or by the name of the sequence.

    Raises:
        ReidopsError: there is no such source, the detector cannot be loaded, or `scale` is set for a detector.
    """
    path = repository_path(name)
    if name == PUBLIC:
        return Scaled(PublicDetections(), scale)
    refuse_other_formats(path)
    if not is_onnx(path) and path.exists():
        return Scaled(OwnFiles(path), scale)
    if path.suffix in (".txt", ".csv") or name.endswith("/"):
        raise ReidopsError(
            f"{path}: no such file or folder; put detections there in MOTChallenge's det.txt format, or change "
            f"detect.source"
        )
    if scale not in (1.0, {}):
        raise ReidopsError(
            f"detect.scale is {scale}, but detect.source {name} is a detector, whose boxes are in px of the frames; "
            f"set detect.scale to 1.0"
        )
    # Imported here, because the default reads det.txt and supervision takes seconds to import.
    from reidops.detection.detector_source import DetectorSource

    return DetectorSource.of_name(name, settings)


@dataclass(frozen=True)
class Scaled:
    """Detections of files, multiplied by a factor if they are of another resolution than the frames."""

    source: Source
    factor: float | Mapping[str, float]

    def detections(self, sequence: Sequence, frames: range) -> pd.DataFrame:
        """Return the detections of `frames` in px of the frames.

        Raises:
            ReidopsError: a file is missing or invalid.
        """
        found = self.source.detections(sequence, frames)
        factor = self.factor if isinstance(self.factor, float | int) else self.factor.get(sequence.name, 1.0)
        return found if factor == 1 else found.assign(**{side: found[side] * factor for side in _SIDES})


class PublicDetections:
    """The published det.txt of a sequence."""

    def detections(self, sequence: Sequence, frames: range) -> pd.DataFrame:
        """Return the detections of `frames` in the order of the file.

        Raises:
            ReidopsError: the file is missing or invalid.
        """
        path = sequence.folder / "det" / "det.txt"
        if not path.is_file():
            raise ReidopsError(
                f"{path}: no such file; for a sequence without public detections set detect.source to a detector, or "
                f"to your own files (for a video street.mp4 of download.videos, street.txt beside it is used)"
            )
        return _of_frames(read_detections(sequence), frames)


class OwnFiles:
    """A folder with one file per sequence, or a file for a single sequence."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner: str | None = None

    def detections(self, sequence: Sequence, frames: range) -> pd.DataFrame:
        """Return the detections of `frames` in the order of the file.

        Raises:
            ReidopsError: the folder has no file for the sequence, or the single file was used for another sequence.
        """
        return _of_frames(read_detections_of(sequence, self._file(sequence)), frames)

    def _file(self, sequence: Sequence) -> Path:
        if self._path.is_dir():
            places = [self._path / place.format(name=sequence.name) for place in _PLACES]
            there = [path for path in places if path.is_file()]
            if not there:
                raise ReidopsError(
                    f"{places[0]}: no such file; put the detections there, or into "
                    f"{' or '.join(p.format(name=sequence.name) for p in _PLACES[1:])}"
                )
            return there[0]
        if self._owner not in (None, sequence.name):
            raise ReidopsError(
                f"{self._path}: is one file, but detections of {self._owner} and {sequence.name} are needed; name a "
                f"folder with one file <sequence>.txt per sequence, or one sequence in download.sequences"
            )
        self._owner = sequence.name
        return self._path


def _of_frames(detections: pd.DataFrame, frames: range) -> pd.DataFrame:
    return detections[detections["frame"].isin(frames)].reset_index(drop=True)
