"""The detections of a video, one frame at a time: from a file, or from a detector that runs on the frames."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import supervision as sv

from reidops.detection.detectors import Detector, new_detector
from reidops.detection.file_formats import is_onnx, refuse_other_formats
from reidops.detection.settings import DetectorSettings
from reidops.errors import ReidopsError
from reidops.mot.box_units import RESOLUTION, find_misfit
from reidops.mot.boxes import ltwh_to_ltrb
from reidops.mot.numbering import FROM_ONE, FROM_ZERO, PICTURES, Numbering, possible_numberings
from reidops.mot.sequences import read_raw_detections
from reidops.videos import sequence_folder

logger = logging.getLogger(__name__)

PUBLIC = "public"


class FrameDetections(Protocol):
    """A source of the detections of a video, one frame at a time."""

    def at(self, number: int, picture: np.ndarray) -> sv.Detections:
        """Return the detections in the picture [h, w, 3] of a 1-based frame."""


class DetectorOnFrames:
    """A detector that runs on every frame."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def at(self, number: int, picture: np.ndarray) -> sv.Detections:
        """Return the people in the picture; `number` is not used."""
        return self._detector.detect(picture)


@dataclass(frozen=True)
class FrameNumbers:
    """The frames of a video.

    Attributes:
        numbers: of the frames that are tracked, 1-based, ascending.
        pictures: the numbers in the names of their pictures, ascending.
    """

    numbers: Sequence[int]
    pictures: Sequence[int]


class DetectionFile:
    """The detections in a file."""

    def __init__(
        self,
        path: Path,
        *,
        scale: float = 1.0,
        size: tuple[int, int] | None = None,
        frames: FrameNumbers | None = None,
    ) -> None:
        """Read a file in MOTChallenge's det.txt format.

        Args:
            scale: factor of the boxes.
            size: width and height, px, of the pictures on which the detector ran; it replaces `scale`.
            frames: frames of the video; None = unknown, and the numbers in the file are used without a check.

        Raises:
            ReidopsError: the file is missing, or a line is no detection; the message has the line.
        """
        if not path.is_file():
            fault = "is a folder; name one file" if path.is_dir() else "no such file; expected detections"
            raise ReidopsError(f"{path}: {fault} in MOTChallenge's det.txt format")
        table = read_raw_detections(path)
        if not len(table):
            logger.warning("%s: holds no detection, so there is nothing to track", path)
        table = table.assign(frame=_as_frames(table["frame"].to_numpy(), frames, path))
        self._path = path
        self._size = size
        self._scale = np.array([scale, scale])
        self._box_ltwh = table[["left", "top", "width", "height"]].to_numpy()
        self._confidence = table["confidence"].to_numpy()
        self._rows_of: Mapping[int, np.ndarray] = table.groupby("frame").indices
        self._is_fitted = False

    def at(self, number: int, picture: np.ndarray) -> sv.Detections:
        """Return the detections of a frame in px of its picture.

        Raises:
            ReidopsError: the boxes cannot be of this video.
        """
        if not self._is_fitted:
            self._fit(width=picture.shape[1], height=picture.shape[0])
        rows = self._rows_of.get(number, np.zeros(0, dtype=int))
        box_ltrb = ltwh_to_ltrb(self._box_ltwh[rows]) * np.tile(self._scale, 2)
        return sv.Detections(xyxy=box_ltrb, confidence=self._confidence[rows], class_id=np.ones(len(rows), dtype=int))

    def _fit(self, *, width: int, height: int) -> None:
        """Set the scale if the size is given; raise or warn if the boxes cannot be of this video."""
        self._is_fitted = True
        if self._size is not None:
            self._scale = np.array([width, height]) / self._size
        misfit = find_misfit(self._box_ltwh * np.tile(self._scale, 2), width, height)
        if misfit is None:
            return
        if misfit.kind != RESOLUTION and misfit.is_certain:
            raise ReidopsError(f"{self._path}: {misfit}")
        if misfit.kind != RESOLUTION:
            logger.warning("%s: %s", self._path, misfit)
            return
        logger.warning(
            "%s: %s; for detections of another resolution give --scale 0.5, or --detections-size 1920x1080",
            self._path,
            misfit.fault.replace("outside the", "outside the picture,"),
        )


def _as_frames(values: np.ndarray, frames: FrameNumbers | None, path: Path) -> np.ndarray:
    """Return the frame of the video for each frame number of a file; 0 = no frame of the video."""
    if frames is None:
        shift = int(bool((values == 0).any()))
        if shift:
            logger.info("%s: frames count from 0", path)
        return values.astype(np.int64) + shift
    found = possible_numberings(values, frames.pictures)
    kinds = (FROM_ZERO,) if (values == 0).any() and frames.pictures[0] > 0 else (PICTURES, FROM_ONE)
    readings = [Numbering(kind, np.asarray(frames.pictures)) for kind in kinds]
    # The pictures' own numbers come first: a file that uses them cannot be shifted.
    reading = max(found[::-1] or readings, key=lambda one: int((one.to_frames(values) > 0).sum()))
    places = reading.to_frames(values)
    if len(found) > 1:
        logger.warning(
            "%s: it is ambiguous whether its frame numbers %s; the first is assumed",
            path,
            " or ".join(str(one) for one in found[::-1]),
        )
    elif len(values) and (reading.kind == FROM_ZERO or frames.pictures[0] > 1):
        logger.info("%s: frames %s", path, reading)
    lost = np.unique(values[places == 0])
    if len(lost):
        logger.warning(
            "%s: %d of its %d frames (%d … %d) are not among the video's %d (%d … %d), and their detections are not "
            "used; if all of them should be used, the file belongs to another clip, or its numbers continue those of "
            "another clip",
            path,
            len(lost),
            len(np.unique(values)),
            values.min(),
            values.max(),
            len(frames.numbers),
            frames.pictures[0],
            frames.pictures[-1],
        )
    return np.where(places > 0, np.asarray(frames.numbers)[np.maximum(places, 1) - 1], 0)


def open_detections(
    source: str,
    video: Path,
    settings: DetectorSettings,
    *,
    scale: float = 1.0,
    size: tuple[int, int] | None = None,
    frames: FrameNumbers | None = None,
) -> FrameDetections:
    """Return the detections of a name: `public` (the det/det.txt of the sequence), a file, or a detector.

    Args:
        settings: used with a detector; `scale`, `size` and `frames` are used with a file, see `DetectionFile`.

    Raises:
        ReidopsError: there is no such file or detector, or it cannot be read.
    """
    if source == PUBLIC:
        beside = video if (video / "det").is_dir() else video.parent
        folder = sequence_folder(video) if video.is_dir() else None
        return DetectionFile((folder or beside) / "det" / "det.txt", scale=scale, size=size, frames=frames)
    path = Path(source)
    refuse_other_formats(path)
    if not is_onnx(path) and (path.exists() or path.suffix in (".txt", ".csv")):
        return DetectionFile(path, scale=scale, size=size, frames=frames)
    return DetectorOnFrames(new_detector(source, settings))
