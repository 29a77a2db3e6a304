"""Sources of detections: the det.txt of a sequence, files of the user, or a detector that runs on the frames."""

from pathlib import Path
from typing import Protocol

import pandas as pd
import supervision as sv

from reidops.boxes.box_crops import read_picture
from reidops.detection.detectors import Detector, new_detector
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.files import repository_path
from reidops.mot.boxes import ltrb_to_ltwh
from reidops.mot.sequences import Sequence, read_detections, read_detections_of
from reidops.progress_bar import progress_bar
from reidops.tables import DETECTIONS

PUBLIC = "public"
_PLACES = ("{name}.txt", "{name}/det/det.txt", "{name}/det.txt")


class Source(Protocol):
    """A source of the detections of sequences."""

    def detections(self, sequence: Sequence, frames: range) -> pd.DataFrame:
        """Return the detections of the 1-based `frames` of a sequence (tables.DETECTIONS), px 0-based."""


def open_source(name: str, settings: DetectorSettings = DetectorSettings()) -> Source:
    """Return the source of a name: `public`, a file or folder, a torchvision detector or `FILE.onnx`.

    Raises:
        ReidopsError: there is no such source, or the detector cannot be loaded.
    """
    path = repository_path(name)
    if name == PUBLIC:
        return PublicDetections()
    if path.suffix != ".onnx" and path.exists():
        return OwnFiles(path)
    if path.suffix in (".txt", ".csv") or name.endswith("/"):
        raise ReidopsError(
            f"{path}: no such file or folder; put detections there in MOTChallenge's det.txt format, or change "
            f"detect.source"
        )
    return DetectorSource(new_detector(name, settings))


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
                f"to your own files"
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
                f"{self._path}: is one file, but {self._owner} and {sequence.name} are tracked; name a folder with one "
                f"file <sequence>.txt per sequence, or one sequence in download.sequences"
            )
        self._owner = sequence.name
        return self._path


class DetectorSource:
    """A detector that runs once on every frame."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detections(self, sequence: Sequence, frames: range) -> pd.DataFrame:
        """Return the detections of `frames` in frame order, and in descending confidence within a frame.

        Raises:
            ReidopsError: a frame is missing or damaged.
        """
        bar = progress_bar(frames, desc=f"detect {sequence.name}", unit="frames")
        tables = [
            detection_table(frame, self._detector.detect(read_picture(sequence.frame_path(frame)))) for frame in bar
        ]
        return pd.concat(tables, ignore_index=True) if tables else detection_table(1, sv.Detections.empty())


def detection_table(frame: int, detections: sv.Detections) -> pd.DataFrame:
    """Return the detections of one frame as a table (tables.DETECTIONS)."""
    left, top, width, height = ltrb_to_ltwh(detections.xyxy).T
    columns = {
        "frame": frame,
        "left": left,
        "top": top,
        "width": width,
        "height": height,
        "confidence": detections.confidence,
    }
    return pd.DataFrame(columns)[list(DETECTIONS.columns)].astype(DETECTIONS.dtypes)


def _of_frames(detections: pd.DataFrame, frames: range) -> pd.DataFrame:
    return detections[detections["frame"].isin(frames)].reset_index(drop=True)
