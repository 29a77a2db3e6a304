"""How a result was tracked, all but the model: written beside its scores (trial.json), so that another model can be
tracked alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidops.errors import ReidopsError
from reidops.files import read_json, repository_root
from reidops.tracking.constants import camera_of, constants_of
from reidops.tracking.evaluation.arm_results import Trial
from reidops.tracking.evaluation.report import choose_gate
from reidops.tracking.trackers import Finishing

# How a camera moved depends on the frames alone: neither a new model nor a new constant computes it again.
CAMERA_CACHE = Path(".cache") / "camera_motion"


@dataclass(frozen=True)
class TrialSettings:
    """The settings of an evaluation that are the same for every model.

    Attributes:
        gate: `calibrated` to the model, `published`, or a number in the tracker's own cost (also one that a search
            found).
        min_confidence: least score in the detector's own scale; None = all; or one per detector.
        constants: those that differ from the published ones.
        camera_motion: as in the params, see `constants.camera_of`.
        window: frames of a stretch that the bootstrap draws.
        code: digest of the code that tracked and scored, see `scoring_code`.
    """

    tracker: str
    gate: float | str
    min_confidence: float | dict[str, float] | None
    constants: Mapping[str, Any]
    camera_motion: str
    linking: bool
    interpolation: bool
    window: int
    code: str


def read_trial_settings(path: Path) -> TrialSettings:
    """Return what trial.json holds.

    Raises:
        ReidopsError: the file is missing or holds other names.
    """
    found = read_json(path)
    try:
        return TrialSettings(**found)
    except TypeError as error:
        remedy = "make it again with `dvc repro -f evaluate_tracking`"
        raise ReidopsError(f"{path}: holds no settings of an evaluation ({error}); {remedy}") from None


def build_trial(settings: TrialSettings, embeddings: Path, calibration: Path, num_switches: int = 0) -> Trial:
    """Return the trial of one model.

    Args:
        embeddings: folder of the files that the model made.
        calibration: the model's calibration.json, whose gate is used where `settings.gate` is `calibrated`.
        num_switches: identity switches whose moments are kept for pictures.

    Raises:
        ReidopsError: the calibration is missing, or lacks the gate of such a tracker or the name of its model.
    """
    calibrated = read_json(calibration)
    if "weights_sha256" not in calibrated:
        raise ReidopsError(
            f"{calibration}: does not name its model (weights_sha256); make it again with `dvc repro -f evaluate_reid`"
        )
    method = camera_of(settings.camera_motion, settings.tracker)
    return Trial(
        embeddings,
        calibrated["weights_sha256"],
        settings.min_confidence,
        settings.tracker,
        gate=choose_gate(settings.gate, settings.tracker, calibrated, calibration),
        constants=constants_of(settings.tracker, settings.constants),
        camera=(method, repository_root() / CAMERA_CACHE) if method else None,
        finishing=Finishing(settings.linking, settings.interpolation),
        num_switches=num_switches,
    )
