"""Track the held-out sequences without appearance, with random embeddings, with the model's and with an oracle's; score
all officially.

Reads:  data/raw (parts.csv; gt.txt and frames of the `track` rows), data/embeddings, data/reid/calibration.json,
data/tuning Writes: data/tracking/ headline.json (the combined scores), metrics.json, sequences.csv (both scorers),
scorers.csv (why they differ), proof.json (arms, headroom, differences with intervals), gaps.csv, gaps.png,
protocol.json, windows.npz (what each window added to the scores, for models to come), trial.json (all settings but the
model, so that a champion can be tracked alike), results/<arm>/<sequence>.txt, events/<arm>/<sequence>.csv,
timelines/<sequence>.png, switches/<sequence>.png, frames/<sequence>-<frame>.jpg, clips/<sequence>-<frame>.mp4
"""

import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from reidops.errors import ReidopsError
from reidops.files import whole_folder, write_json
from reidops.params import params_dataclass
from reidops.tracking.constants import check_constants
from stages import run_stage

if TYPE_CHECKING:
    from reidops.parts import Part
    from reidops.tracking.evaluation.arm_results import ArmResult
    from reidops.tracking.evaluation.protocol import Tuning
    from reidops.tracking.evaluation.setups import TrackerSetup, TrackingSettings
    from reidops.tracking.pictures.sequence_pictures import PictureBounds

log = logging.getLogger(__name__)

Count = Annotated[int, Field(ge=0)]
Gate = Literal["calibrated", "published"] | Annotated[float, Field(ge=0, le=2)]


@params_dataclass
class EvaluateTrackingParams:
    """The tracker, its gate and its constants; all arms have the same ones, but for the oracle's gate."""

    tracker: Literal["sort", "deepsort", "strongsort", "bytetrack", "botsort", "ocsort", "deepocsort"]
    # of appearance, in the tracker's own cost: `calibrated` to this model, `published` (another model's), or a number
    gate: Gate
    # Least score in the detector's own scale; null = all; or one per detector, {DPM: 0.0, FRCNN: 0.3, SDP: 0.3}.
    min_confidence: float | dict[str, float] | None
    # tracker → its constants that differ from the published ones; those of a search replace them
    constants: dict[str, dict[str, Any]]
    tuning: str | None = None  # the file of a search made elsewhere; null = what the stage tune found, if it searched
    # published = ecc for strongsort, sparse_flow for botsort and deepocsort, none for the others
    camera_motion: Literal["published", "none", "sparse_flow", "ecc"] = "none"
    linking: bool = False  # join tracks that one person seems to have left behind, when the sequence is over
    interpolation: bool = False  # fill the gaps of a track, when the sequence is over
    window: Annotated[int, Field(ge=1)] = 30  # frames, the units of the confidence intervals
    num_switches: Count = 8  # identity switches shown per sequence
    num_frames: Count = 3  # annotated frames shown per sequence
    num_clips: Count = 1  # video clips of the worst moments per sequence

    @field_validator("constants")
    @classmethod
    def _check_constants(cls, constants: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        try:
            check_constants(constants)
        except ReidopsError as error:
            raise ValueError(str(error)) from None  # what pydantic knows to put a name to
        return constants


def evaluate_tracking(
    raw: Path, embeddings: Path, calibration: Path, tuning: Path, tracking: Path, params: EvaluateTrackingParams
) -> None:
    """Write scores, the proof, result files, events and pictures of all arms."""
    from reidops.parallel import map_parallel
    from reidops.parts import read_parts, tracked_parts
    from reidops.tracking.evaluation.arm_results import evaluate_parts, num_processes
    from reidops.tracking.evaluation.protocol import check_protocol, describe_protocol, read_model_origin, read_tuning
    from reidops.tracking.evaluation.report import format_report, gap_table_of_arms, write_report
    from reidops.tracking.evaluation.setups import build_setup
    from reidops.tracking.pictures.gap_curves import write_gap_curves
    from reidops.tracking.pictures.sequence_pictures import PictureBounds

    parts = read_parts(raw)
    found = read_tuning(Path(params.tuning) if params.tuning else tuning / "constants.json", params.tracker)
    origin = read_model_origin(embeddings)
    check_protocol(parts, found, origin)
    # A search started from published constants: others that were named for this tracker were not there, and would spoil
    # what it found.
    tracked, changed = tracked_parts(raw), dict(found.constants) if found else params.constants.get(params.tracker, {})
    settings = _tracking_settings(params, changed, found)
    setup = build_setup(settings, embeddings, calibration, params.num_switches)
    arms = evaluate_parts(tracked, setup)
    with whole_folder(tracking) as folder:
        report = write_report(arms, folder, params.window, _appearance_statement(arms, setup))
        write_gap_curves(gap_table_of_arms(arms), folder / "gaps.png")
        write_json(asdict(settings), folder / "trial.json")
        protocol = describe_protocol(parts, tracker=params.tracker, changed=changed, tuning=found, origin=origin)
        write_json(protocol, folder / "protocol.json")
        bounds = PictureBounds(params.num_switches, params.num_frames, params.num_clips)
        draw = partial(_draw, folder=folder, bounds=bounds)
        pictured = [(part, [result for result in arms if result.sequence == part.sequence]) for part in tracked]
        map_parallel(draw, pictured, num_processes(tracked, params.tracker), desc="pictures")
    num_frames = sum(part.num_frames for part in tracked)
    gate = "published gate" if setup.gate is None else f"gate {setup.gate:.3f}"
    log.info(
        "tracked %s frames of %d sequences by %s, %s\n%s",
        f"{num_frames:,}",
        len(tracked),
        params.tracker,
        gate,
        format_report(report),
    )


def _appearance_statement(arms: list["ArmResult"], setup: "TrackerSetup") -> str:
    from reidops.tracking.evaluation.arm_results import by_arm
    from reidops.tracking.evaluation.decided import appearance_rule, appearance_statement

    tracks = {arm: [result.tracks for result in results] for arm, results in by_arm(arms).items()}
    return appearance_statement(tracks, setup.tracker, appearance_rule(setup.tracker, setup.constants))


def _draw(pictured: tuple["Part", list["ArmResult"]], folder: Path, bounds: "PictureBounds") -> None:
    from reidops.tracking.pictures.sequence_pictures import write_pictures

    part, arms = pictured
    write_pictures(part, arms, folder, bounds)


def _tracking_settings(
    params: EvaluateTrackingParams, changed: dict[str, Any], found: "Tuning | None"
) -> "TrackingSettings":
    """Return what is tried, all but the model; a gate and a least score that a search found replace those of the
    params.
    """
    from reidops.tracking.evaluation.scoring_code import scoring_code_digest
    from reidops.tracking.evaluation.setups import TrackingSettings

    gate, min_confidence = params.gate, params.min_confidence
    if found:
        constants = ", ".join(f"{name} {value}" for name, value in found.constants.items())
        log.info("%s: constants %s", found.source, constants or "as published")
        gate = gate if found.gate is None else found.gate
        min_confidence = min_confidence if found.min_confidence is None else found.min_confidence
    return TrackingSettings(
        params.tracker,
        gate,
        min_confidence,
        changed,
        params.camera_motion,
        params.linking,
        params.interpolation,
        params.window,
        scoring_code_digest(),
    )


if __name__ == "__main__":
    run_stage(evaluate_tracking, EvaluateTrackingParams)
