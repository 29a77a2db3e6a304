"""Track the held-out sequences in several arms, and score all arms with TrackEval.

The arms use no appearance, random embeddings, the embeddings of the model, and those of an oracle.

Reads:  data/raw (parts.csv; gt.txt and frames of the `track` rows), data/embeddings, data/reid/calibration.json,
        data/tuning
Writes: data/tracking/ headline.json (the combined scores), metrics.json, sequences.csv (both scorers), scorers.csv (why
        they differ), proof.json (arms, headroom, differences with intervals), gaps.csv, gaps.png, protocol.json,
        windows.npz (score terms of each window, for comparison with later models), trial.json (all settings except the
        model, to track a champion with the same settings), results/<arm>/<sequence>.txt, events/<arm>/<sequence>.csv,
        timelines/<sequence>.png, switches/<sequence>.png, frames/<sequence>-<frame>.jpg, clips/<sequence>-<frame>.mp4
"""

import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from reidops.files import repository_path, whole_folder, write_json
from reidops.parallel import map_parallel
from reidops.parts import Part, read_parts, tracked_parts
from reidops.skipped import write_skipped
from reidops.stage_times import keep_times
from reidops.step_times import describe_times
from reidops.tracking.constants import describe_gate
from reidops.tracking.evaluation.arm_results import ArmResult, by_arm, evaluate_parts, num_processes
from reidops.tracking.evaluation.decided import appearance_rule, appearance_statement
from reidops.tracking.evaluation.protocol import (
    Tuning,
    check_protocol,
    describe_protocol,
    read_model_origin,
    read_tuning,
)
from reidops.tracking.evaluation.report import format_report, gap_table_of_arms, write_report
from reidops.tracking.evaluation.scoring_code import scoring_code_digest
from reidops.tracking.evaluation.setups import TrackerSetup, TrackingSettings, build_setup, gate_remark
from reidops.tracking.pictures.gap_curves import write_gap_curves
from reidops.tracking.pictures.sequence_pictures import PictureBounds, write_pictures
from stages import run_stage
from stages.params.evaluate_tracking import EvaluateTrackingParams

log = logging.getLogger(__name__)


def evaluate_tracking(
    raw: Path, embeddings: Path, calibration: Path, tuning: Path, tracking: Path, params: EvaluateTrackingParams
) -> None:
    """Write scores, the proof, result files, events and pictures of all arms."""
    parts = read_parts(raw)
    if not any(part.part == "track" for part in parts):
        with whole_folder(tracking) as folder:
            write_skipped(folder, "download.track is []")
        log.info("download.track is []: no sequence is tracked")
        return
    found = read_tuning(repository_path(params.tuning) if params.tuning else tuning / "constants.json", params.tracker)
    origin = read_model_origin(embeddings)
    check_protocol(parts, found, origin)
    # The search started from the published constants, so that its result must not be combined with params.constants.
    tracked, changed = tracked_parts(raw), dict(found.constants) if found else params.constants.get(params.tracker, {})
    settings = _tracking_settings(params, changed, found)
    setup = build_setup(settings, embeddings, calibration, params.num_switches)
    arms = evaluate_parts(tracked, setup)
    with whole_folder(tracking) as folder:
        statements = (gate_remark(settings, calibration), _appearance_statement(arms, setup))
        report = write_report(arms, folder, params.window, "; ".join(filter(None, statements)))
        write_gap_curves(gap_table_of_arms(arms), folder / "gaps.png")
        write_json(asdict(settings), folder / "trial.json")
        protocol = describe_protocol(parts, tracker=params.tracker, changed=changed, tuning=found, origin=origin)
        write_json(protocol, folder / "protocol.json")
        bounds = PictureBounds(params.num_switches, params.num_frames, params.num_clips, params.frame_stride)
        draw = partial(_draw, folder=folder, bounds=bounds)
        pictured = [(part, [result for result in arms if result.sequence == part.sequence]) for part in tracked]
        map_parallel(draw, pictured, num_processes(tracked, params.tracker), desc="pictures")
    times = _times(arms, sum(len(part.frames(params.frame_stride)) for part in tracked))
    keep_times(tracking, times)
    for line in report.zeros:
        log.warning("%s", line)
    num_frames = sum(part.num_frames for part in tracked)
    gate = "published gate" if setup.gate is None else f"gate {describe_gate(setup.gate)}"
    log.info(
        "tracked %s frames of %d sequences by %s, %s; %s\n%s",
        f"{num_frames:,}",
        len(tracked),
        params.tracker,
        gate,
        describe_times(times),
        format_report(report),
    )


def _appearance_statement(arms: list[ArmResult], setup: TrackerSetup) -> str:
    tracks = {arm: [result.tracks for result in results] for arm, results in by_arm(arms).items()}
    return appearance_statement(tracks, setup.tracker, appearance_rule(setup.tracker, setup.constants))


def _times(arms: list[ArmResult], num_frames: int) -> dict[str, float]:
    """Return the time of the tracker in each arm, ms per frame; detections and embeddings were made before."""
    seconds = {arm: sum(result.tracking_seconds for result in results) for arm, results in by_arm(arms).items()}
    return {f"associate/{arm}": 1000 * total / num_frames for arm, total in seconds.items()}


def _draw(pictured: tuple[Part, list[ArmResult]], folder: Path, bounds: PictureBounds) -> None:
    part, arms = pictured
    write_pictures(part, arms, folder, bounds)


def _tracking_settings(
    params: EvaluateTrackingParams, changed: dict[str, Any], found: Tuning | None
) -> TrackingSettings:
    """Return the settings without the model; a search replaces the gate and minimum confidence of the params."""
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
        params.frame_stride,
    )


if __name__ == "__main__":
    run_stage(evaluate_tracking)
