"""The model with its gates, and the tracker, that track the people of one video or camera."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import supervision as sv

from reidops.boxes.box_embedding import CropEmbedder
from reidops.embedding.embedder import Embedder
from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.mot.boxes import ltrb_to_ltwh
from reidops.params import check_section
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.tracking.camera_motion import METHODS
from reidops.tracking.constants import Gate, calibrated_gates, constants_of, gate_of
from reidops.tracking.trackers import Tracker, new_tracker

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NO_MODEL = "none"
Settings = TypeVar("Settings", bound="DataclassInstance")


@dataclass(frozen=True)
class Model:
    """An embedder, and the gates that are calibrated for it; None = its folder has no calibration."""

    name: str
    embedder: CropEmbedder
    gates: Mapping[str, Any] | None


def load_model(name: str) -> Model | None:
    """Return the model of a registry's name (`models:/person-reid@champion`) or of a folder; None for `none`.

    The calibration.json is in the folder of the model, or in a folder `reid` beside it as for data/model.

    Raises:
        ReidopsError: there is no such model, it is incomplete, or the calibration is of another model.
    """
    if name == NO_MODEL:
        return None
    folder = _folder(name)
    embedder = _load(folder)
    return Model(name, embedder, _gates(folder, embedder.weights_sha256))


def load_embedder(name: str) -> CropEmbedder:
    """Return the embedder of a registry's name or of a folder, without its calibration.

    Raises:
        ReidopsError: there is no such model, or it is incomplete.
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
    """Load model.safetensors, or model.onnx if the folder has only the files of the stage `export`."""
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
            f"{path}: calibrated for the model {made_for[:12]}, and {folder} holds {weights_sha256[:12]}; run "
            "`dvc repro evaluate_reid`, or remove the calibration and give --gate published"
        )
    return calibrated_gates(calibration)


def choose_gate(setting: str | float, tracker: str, model: Model | None) -> Gate | None:
    """Return the appearance gate in the tracker's own cost; None = the published one, or the tracker has no gate.

    Args:
        setting: `calibrated` for this model, `published`, or the gate.

    Raises:
        ReidopsError: the model has no calibrated gate for this tracker.
    """
    if model is None:
        return None
    remedy = "run `dvc repro evaluate_reid`, or give --gate published or a number"
    missing = f"{model.name}: has no calibration.json with gates.{{entry}}, which {tracker} needs; {remedy}"
    return gate_of(setting, tracker, model.gates or {}, missing=missing)


def start_tracker(
    name: str, gate: Gate | None, camera: str, changes: Mapping[str, object], frame_rate: float = 30.0
) -> Tracker:
    """Return a new tracker with the published constants, of which some are changed.

    Args:
        camera: a name of `camera_motion.METHODS`, or `none`.
        changes: constants of this tracker by name.
        frame_rate: of the video, frames/s.

    Raises:
        ReidopsError: a constant is unknown.
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
    """Return the tracks of one frame in the columns of `format_results`; boxes in px, 0-based."""
    left, top, width, height = ltrb_to_ltwh(tracked.xyxy).T
    columns = {"left": left, "top": top, "width": width, "height": height, "confidence": tracked.confidence}
    return pd.DataFrame({"frame": number, "track_id": tracked.tracker_id, **columns})
