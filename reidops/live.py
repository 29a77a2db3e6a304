"""What following people through a video needs, one picture at a time: detections, a model with its gates, a tracker by
name.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pandas as pd
import supervision as sv

from reidops.boxes.box_embedding import CropEmbedder
from reidops.detection.detectors import Detector, new_detector
from reidops.detection.file_formats import is_onnx, refuse_other_formats
from reidops.detection.settings import DetectorSettings
from reidops.embedding.embedder import Embedder
from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.mot.box_units import RESOLUTION, find_misfit
from reidops.mot.boxes import ltrb_to_ltwh, ltwh_to_ltrb
from reidops.mot.numbering import FROM_ONE, FROM_ZERO, PICTURES, Numbering, possible_numberings
from reidops.mot.sequences import read_raw_detections
from reidops.params import check_section
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.tracking.camera_motion import METHODS
from reidops.tracking.constants import Gate, calibrated_gates, constants_of, gate_of
from reidops.tracking.trackers import Tracker, new_tracker
from reidops.videos import sequence_folder

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

logger = logging.getLogger(__name__)

NO_MODEL, PUBLIC = "none", "public"
Settings = TypeVar("Settings", bound="DataclassInstance")


class FrameDetections(Protocol):
    """What has the detections of a video, one picture at a time."""

    def at(self, number: int, picture: np.ndarray) -> sv.Detections:
        """Return the detections in the picture [h, w, 3] of a 1-based frame."""


class DetectorAtWork:
    """A detector that runs on every picture."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def at(self, number: int, picture: np.ndarray) -> sv.Detections:
        """Return what it finds."""
        return self._detector.detect(picture)


@dataclass(frozen=True)
class FrameNumbers:
    """The frames of a video as they are given, `numbers`, and the numbers in their pictures' names; both ascending."""

    numbers: Sequence[int]
    pictures: Sequence[int]


class DetectionFile:
    """Detections that were made before."""

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
            scale: by which its boxes are multiplied.
            size: width and height in px of the pictures that they were made on, in place of `scale`.
            frames: of the video; None = not known, and the file's numbers are taken as they are.

        Raises:
            ReidopsError: the file is missing, or names the line that is no detection.
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
        """Return those of a frame, none where the file has none."""
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
            "%s: %s; of another resolution: say which (--scale 0.5, or --detections-size 1920x1080)",
            self._path,
            misfit.fault.replace("outside the", "outside the picture,"),
        )


def _as_frames(values: np.ndarray, frames: FrameNumbers | None, path: Path) -> np.ndarray:
    """Return the number of the video's frame for each frame number of a file; 0 for what is no frame of the video."""
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
            "%s: it does not show whether its frame numbers %s; they are taken as the first",
            path,
            " or ".join(str(one) for one in found[::-1]),
        )
    elif len(values) and (reading.kind == FROM_ZERO or frames.pictures[0] > 1):
        logger.info("%s: frames %s", path, reading)
    lost = np.unique(values[places == 0])
    if len(lost):
        logger.warning(
            "%s: %d of the %d frames in it (%d … %d) are none of the video's %d (%d … %d), and their detections are "
            "not used; if all of them should be, the file belongs to another clip or counts on from another one",
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
    """Return the detections that a name means: `public` (the det/det.txt of the sequence), a file, or a detector.

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
    return DetectorAtWork(new_detector(source, settings))


@dataclass(frozen=True)
class Model:
    """An embedder, and the gates that were calibrated for it; None where its folder has none."""

    name: str
    embedder: CropEmbedder
    gates: Mapping[str, Any] | None


def load_model(name: str) -> Model | None:
    """Return the model of a registry's name (`models:/person-reid@champion`) or of a folder; None for `none`.

    A registered model has its calibration.json with it; a folder has it inside, or in `reid` beside it, as data/model
    has.

    Raises:
        ReidopsError: there is no such model, it is not whole, or the calibration is another model's.
    """
    if name == NO_MODEL:
        return None
    folder = _folder(name)
    embedder = _load(folder)
    return Model(name, embedder, _gates(folder, embedder.weights_sha256))


def load_embedder(name: str) -> CropEmbedder:
    """Return the embedder of a registry's name or of a folder, whatever it was calibrated for.

    Raises:
        ReidopsError: there is no such model, or it is not whole.
    """
    return _load(_folder(name))


def _folder(name: str) -> Path:
    if name.startswith("models:/"):
        # Imported here, because it imports MLflow, which takes seconds and which a folder does not need.
        from reidops.registry.models import pull_model

        return pull_model(name)
    if not Path(name).is_dir():
        raise ReidopsError(f"{name}: no such folder; expected a model's folder, models:/NAME@ALIAS, or none")
    return Path(name)


def _load(folder: Path) -> CropEmbedder:
    """Load the safetensors; where only `export`'s files are, those."""
    if (folder / "model.onnx").is_file() and not (folder / "model.safetensors").is_file():
        return OnnxEmbedder(folder)
    import torch  # imported here, because it takes seconds, and a service of ONNX models does not have it

    return Embedder.load(folder, device="cuda" if torch.cuda.is_available() else "cpu")


def _gates(folder: Path, weights_sha256: str) -> Mapping[str, Any] | None:
    places = (folder / "calibration.json", folder.parent / "reid" / "calibration.json")
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        return None
    calibration = read_json(path)
    made_for = calibration.get("weights_sha256", weights_sha256)
    if made_for != weights_sha256:
        raise ReidopsError(
            f"{path}: calibrated for the model {made_for[:12]}, and {folder} holds {weights_sha256[:12]};"
            " run `dvc repro evaluate_reid`, or take the calibration away and give --gate published"
        )
    return calibrated_gates(calibration)


def choose_gate(setting: str | float, tracker: str, model: Model | None) -> Gate | None:
    """Return the appearance gate in the tracker's own cost; None = the published one, or a tracker that has none.

    Args:
        setting: `calibrated` to this model, `published`, or the gate itself.

    Raises:
        ReidopsError: the model comes without a calibrated gate for this tracker.
    """
    if model is None:
        return None
    remedy = "run `dvc repro evaluate_reid`, or give --gate published or a number"
    missing = f"{model.name}: has no calibration.json with gates.{{entry}}, which {tracker} needs; {remedy}"
    return gate_of(setting, tracker, model.gates or {}, missing=missing)


def start_tracker(
    name: str, gate: Gate | None, camera: str, changes: Mapping[str, object], frame_rate: float = 30.0
) -> Tracker:
    """Return a tracker by its name, with the published constants but for some changes; it has seen no frame.

    Args:
        camera: a name of `camera_motion.METHODS`.

    Raises:
        ReidopsError: there is no such constant.
    """
    return new_tracker(
        name, gate, constants_of(name, changes), None if camera == "none" else METHODS[camera](), frame_rate=frame_rate
    )


def changed(settings: Settings, changes: Mapping[str, object], section: str) -> Settings:
    """Return a params dataclass with some values changed, checked as a section of params.yaml is.

    Raises:
        ReidopsError: a name is unknown or a value is of another type.
    """
    values = dataclasses.asdict(settings) | dict(changes)
    return check_section(type(settings), {section: values}, section, Path("command line"))


def result_table(number: int, tracked: sv.Detections) -> pd.DataFrame:
    """Return the tracks of one frame, as `format_results` takes them."""
    left, top, width, height = ltrb_to_ltwh(tracked.xyxy).T
    columns = {"left": left, "top": top, "width": width, "height": height, "confidence": tracked.confidence}
    return pd.DataFrame({"frame": number, "track_id": tracked.tracker_id, **columns})
