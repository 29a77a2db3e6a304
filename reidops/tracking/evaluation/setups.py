"""The set-up of the tracker, and its settings without the model (trial.json), so that another model can use them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError
from reidops.files import read_json, repository_root
from reidops.tracking.constants import GATES, Gate, calibrated_gates, camera_of, constants_of, gate_of, is_calibrated
from reidops.tracking.trackers import Finishing

# Camera motion depends on the frames alone, so a new model or constant reuses it.
CAMERA_CACHE = Path(".cache") / "camera_motion"


@dataclass(frozen=True)
class TrackerSetup:
    """Detections of at least some confidence, and a tracker by name with its gate, constants and camera motion.

    Attributes:
        embeddings: folder of the sequences' files.
        weights_sha256: the model that must have made them.
        gate: in the tracker's own cost; None = the published one.
        constants: the tracker's dataclass of constants.
        camera: the method that estimates camera motion, and the folder that caches it.
        num_switches: identity switches whose moments are kept.
        frame_stride: every stride-th frame is tracked and scored.
    """

    embeddings: Path
    weights_sha256: str
    min_confidence: float | dict[str, float] | None
    tracker: str
    gate: Gate | None
    constants: Any
    camera: tuple[str, Path] | None = None
    finishing: Finishing = Finishing()
    num_switches: int = 0
    frame_stride: int = 1


@dataclass(frozen=True)
class TrackingSettings:
    """The settings of an evaluation that are the same for every model.

    Attributes:
        gate: `calibrated` to the model, `published`, or a number in the tracker's own cost (also one from a search).
        min_confidence: least confidence in the detector's own scale; None = all; or one per detector.
        linking: as in the params, see `trackers.Finishing`.
        constants: those that differ from the published ones.
        camera_motion: as in the params, see `constants.camera_of`.
        window: frames of a window of the confidence intervals.
        code: digest of the code that tracked and scored, see `scoring_code`.
        frame_stride: every stride-th frame is tracked and scored.
    """

    tracker: str
    gate: float | str
    min_confidence: float | dict[str, float] | None
    constants: Mapping[str, Any]
    camera_motion: str
    linking: bool | str
    interpolation: bool
    window: int
    code: str
    frame_stride: int = 1


def read_tracking_settings(path: Path) -> TrackingSettings:
    """Return the content of trial.json.

    Raises:
        ReidopsError: the file is missing or holds other names.
    """
    found = read_json(path)
    try:
        return TrackingSettings(**found)
    except TypeError as error:
        remedy = "make it again with `dvc repro -f evaluate_tracking`"
        raise ReidopsError(f"{path}: holds no settings of an evaluation ({error}); {remedy}") from None


def build_setup(settings: TrackingSettings, embeddings: Path, calibration: Path, num_switches: int = 0) -> TrackerSetup:
    """Return the tracker set-up of one model.

    Args:
        embeddings: folder of the files that the model made.
        calibration: the model's calibration.json; its gate is used if `settings.gate` is `calibrated`.
        num_switches: identity switches whose moments are kept for pictures.

    Raises:
        ReidopsError: the calibration is missing, or lacks the gate of such a tracker or the name of its model.
    """
    setup = calibrated_setup(
        embeddings,
        calibration,
        tracker=settings.tracker,
        gate=settings.gate,
        min_confidence=settings.min_confidence,
        constants=settings.constants,
        camera_motion=settings.camera_motion,
    )
    finishing = Finishing(settings.linking, settings.interpolation)
    return replace(setup, finishing=finishing, num_switches=num_switches, frame_stride=settings.frame_stride)


def calibrated_setup(
    embeddings: Path,
    calibration: Path,
    *,
    tracker: str,
    gate: float | str,
    min_confidence: float | dict[str, float] | None,
    constants: Mapping[str, Any],
    camera_motion: str,
) -> TrackerSetup:
    """Return the set-up of a tracker with the gate and the model of a calibration, without a finishing step.

    The arguments are the folder of the model's embeddings, its calibration.json and fields of TrackingSettings.

    Raises:
        ReidopsError: the calibration is missing, or lacks the gate of such a tracker or the name of its model.
    """
    calibrated = read_json(calibration)
    if "weights_sha256" not in calibrated:
        raise ReidopsError(
            f"{calibration}: does not name its model (weights_sha256); make it again with `dvc repro -f evaluate_reid`"
        )
    method = camera_of(camera_motion, tracker)
    return TrackerSetup(
        embeddings,
        calibrated["weights_sha256"],
        min_confidence,
        tracker,
        gate=choose_gate(gate, tracker, calibrated, calibration),
        constants=constants_of(tracker, constants),
        camera=(method, repository_root() / CAMERA_CACHE) if method else None,
    )


def gate_remark(settings: TrackingSettings, calibration: Path) -> str:
    """Return a sentence if the gate should be calibrated and is the published one; else an empty string.

    Args:
        calibration: the model's calibration.json.
    """
    if settings.gate != "calibrated" or settings.tracker not in GATES or is_calibrated(read_json(calibration)):
        return ""
    return (
        f"the gate of {settings.tracker} is the published one, because no people were held out to calibrate it; name a "
        f"set in download.train, or set evaluate_tracking.gate to a number"
    )


def choose_gate(gate: float | str, tracker: str, calibration: dict, where: Path) -> Gate | None:
    """Return the appearance gate in the tracker's own cost; None = the published one, or a tracker without appearance.

    Raises:
        ReidopsError: the calibration has no gate for such a cost.
    """
    remedy = "run `dvc repro -f evaluate_reid`, or give evaluate_tracking.gate a number"
    return gate_of(gate, tracker, calibrated_gates(calibration), missing=f"{where}: has no gates.{{entry}}; {remedy}")
