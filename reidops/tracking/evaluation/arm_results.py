"""Track and score each sequence with each arm; combine the scores of all sequences and arms."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial

import numpy as np
import pandas as pd

from reidops.boxes.embeddings import EmbeddedDetections, confidence_floor, read_embeddings
from reidops.boxes.identities import people_of_boxes
from reidops.cores import usable_cores
from reidops.mot.classes import check_classes
from reidops.mot.sequences import read_annotations, read_sequence
from reidops.parallel import map_parallel
from reidops.parts import Part
from reidops.tracking.constants import oracle_gate
from reidops.tracking.evaluation.arm_names import APPEARANCE, ARMS, COMBINED, DIFFERENCE, NO_APPEARANCE, ORACLE
from reidops.tracking.evaluation.arms import arms_of, with_arm_embeddings
from reidops.tracking.evaluation.decided import Decided
from reidops.tracking.evaluation.events import (
    Counts,
    accumulate,
    combine_counts,
    count_events,
    event_table,
    motmetrics_scores,
)
from reidops.tracking.evaluation.gaps import find_returns, gap_counts
from reidops.tracking.evaluation.moments import Moment, record_moments
from reidops.tracking.evaluation.scoring import (
    Results,
    TrackingScores,
    combine_results,
    compare,
    official_results,
    official_scores,
    rules_of,
)
from reidops.tracking.evaluation.setups import TrackerSetup
from reidops.tracking.evaluation.switches import switch_frames
from reidops.tracking.evaluation.watching import Watch
from reidops.tracking.evaluation.windows import FrameTables
from reidops.tracking.evaluation.zeros import DetectionCounts, count_matched, find_zeros, zero_scores
from reidops.tracking.trackers import Tracker, finish_tracks, new_camera, new_tracker, track_sequence

SCORERS = ("reported", "motmetrics")
# Starting a process takes about as long as tracking and scoring a thousand frames.
FRAMES_OF_ONE_PROCESS = 2000


@dataclass(frozen=True)
class ArmResult:
    """The result of one arm on one sequence.

    Attributes:
        tracks: px, 0-based.
        events: from CLEAR's matches, see `events.event_table`.
        counts: motmetrics' counts.
        results: TrackEval's results.
        of_frames: each frame's contribution to the scores.
        gaps: counts of people who were out of sight, see `gaps.gap_counts`.
        decided: number of associations that appearance decided.
        moments: decisions of the tracker in the frames of the pictures, by frame.
        zeros: which counts of the sequence are zero, with reasons and remedies; only of the reported arm.
        tracking_seconds: wall time of the tracker on the sequence. No file of the stage has it, because it varies.
    """

    arm: str
    sequence: str
    tracks: pd.DataFrame
    events: pd.DataFrame
    counts: Counts
    results: Results
    of_frames: FrameTables
    gaps: pd.DataFrame
    decided: Decided
    moments: Mapping[int, Moment] = field(default_factory=dict)
    zeros: tuple[str, ...] = ()
    tracking_seconds: float = 0.0


def evaluate_parts(parts: Sequence[Part], setup: TrackerSetup, arms: tuple[str, ...] | None = None) -> list[ArmResult]:
    """Return the result of each arm on each part, sequence by sequence; arms and sequences run in parallel.

    Args:
        arms: arms to run; None = all that the tracker can run.

    Raises:
        ReidopsError: embeddings are missing, broken or of another model, or annotations contradict themselves.
    """
    arms = arms or arms_of(setup.tracker)
    workers = num_processes(parts, setup.tracker)
    if setup.camera:  # once, before the arms use it
        map_parallel(partial(new_camera, camera=setup.camera, stride=setup.frame_stride), parts, workers, desc="camera")
    # With enough sequences for all processes, one process runs all arms of a sequence and reads it once. The longest
    # sequence is first, so that no process starts it last.
    groups = [arms] if len(parts) >= 2 * usable_cores() else [(arm,) for arm in arms]
    jobs = sorted(((part, group) for part in parts for group in groups), key=lambda job: -job[0].num_frames)
    done = map_parallel(partial(_evaluate_job, setup=setup), jobs, workers, desc="track")
    found = {(result.sequence, result.arm): result for results in done for result in results}
    return [found[part.sequence, arm] for part in parts for arm in arms]


def num_processes(parts: Sequence[Part], tracker: str) -> int | None:
    """Return 1 if a single process is faster than starting others, else None: one process per core."""
    num_frames = len(arms_of(tracker)) * sum(part.num_frames for part in parts)
    return None if num_frames > FRAMES_OF_ONE_PROCESS else 1


def _evaluate_job(job: tuple[Part, tuple[str, ...]], setup: TrackerSetup) -> list[ArmResult]:
    part, arms = job
    inputs = _read_inputs(part, setup)
    return [evaluate_arm(arm, part, inputs, partial(_new_tracker, part, setup, arm), setup) for arm in arms]


@dataclass(frozen=True)
class SequenceInputs:
    """What all arms share: ground truth, detections, the person of each detection, and returns after gaps.

    `counts` are the numbers of detections with and without the least score.
    """

    annotations: pd.DataFrame
    detected: EmbeddedDetections
    people: np.ndarray
    returns: pd.DataFrame
    counts: DetectionCounts


def _read_inputs(part: Part, setup: TrackerSetup) -> SequenceInputs:
    sequence = read_sequence(part.folder)
    detected = read_embeddings(setup.embeddings / f"{part.sequence}.npz", setup.weights_sha256)
    floor = confidence_floor(setup.min_confidence, sequence.detector)
    counts = DetectionCounts.of(detected.confidence, floor)
    if floor is not None:
        detected = detected.keep(detected.confidence >= floor)
    if setup.frame_stride > 1:
        detected = detected.keep(np.isin(detected.frame, part.frames(setup.frame_stride)))
    annotations = read_annotations(sequence)
    check_classes(annotations["class_id"].to_numpy(), sequence.folder / "gt" / "gt.txt", crops_too=False)
    annotations = annotations[annotations["frame"].isin(part.frames(setup.frame_stride))]
    people = people_of_boxes(detected.frame, detected.box_ltwh, annotations, among="all")
    return SequenceInputs(
        annotations, detected, people, find_returns(detected.frame, people, setup.frame_stride), counts
    )


def _new_tracker(part: Part, setup: TrackerSetup, arm: str) -> Tracker:
    camera = new_camera(part, setup.camera, setup.frame_stride) if setup.camera else None
    gate = oracle_gate(setup.tracker) if arm == ORACLE else setup.gate
    frame_rate = read_sequence(part.folder).frame_rate / setup.frame_stride
    return new_tracker(setup.tracker, gate, setup.constants, camera, frame_rate=frame_rate)


def evaluate_arm(
    arm: str, part: Part, inputs: SequenceInputs, make_tracker: Callable[[], Tracker], setup: TrackerSetup
) -> ArmResult:
    """Return the result of one arm; frames outside the part are neither tracked nor scored.

    Args:
        make_tracker: returns a new tracker; it runs a second time if the decisions of the first run were too large to
            keep.
    """
    frames, appearance = part.frames(setup.frame_stride), arm != NO_APPEARANCE
    embedded = with_arm_embeddings(arm, inputs.detected, inputs.people, part.sequence)
    is_shown = arm == APPEARANCE or arms_of(setup.tracker) == (arm,)
    watch = Watch(keeps=is_shown and setup.num_switches > 0)
    begin = time.perf_counter()
    tracked = track_sequence(make_tracker(), embedded, frames, appearance=appearance, watch=watch)
    tracking_seconds = time.perf_counter() - begin
    tracks = finish_tracks(tracked, setup.finishing)
    comparison = compare(inputs.annotations, tracks, frames, rules_of(part.dataset))
    events = event_table(comparison)
    wanted = switch_frames(events, setup.num_switches) if is_shown else set()
    moments = watch.moments(wanted) if wanted else {}
    if moments is None:
        moments = record_moments(make_tracker(), embedded, frames, wanted, appearance=appearance)
    results = official_results(comparison)
    return ArmResult(
        arm,
        part.sequence,
        tracks,
        events,
        count_events(accumulate(comparison)),
        results,
        FrameTables.of(comparison),
        gap_counts(inputs.returns, events, comparison),
        watch.decided,
        moments,
        _zeros(part, inputs, len(tracks), official_scores(results).IDF1) if is_shown else (),
        tracking_seconds,
    )


def _zeros(part: Part, inputs: SequenceInputs, num_tracks: int, idf1: float) -> tuple[str, ...]:
    matched = count_matched(inputs.people)
    found = find_zeros(
        part.sequence,
        inputs.annotations,
        rules_of(part.dataset),
        inputs.counts,
        matched=matched,
        num_tracks=num_tracks,
    )
    return (*found, *zero_scores(part.sequence, idf1, num_tracks=num_tracks, findings=found))


def score_table(arms: Sequence[ArmResult]) -> pd.DataFrame:
    """Return one row per scorer, arm and sequence, then `combined`: columns scorer, arm, sequence and the scores.

    The scorer `reported` is TrackEval. `motmetrics` is the second scorer, with TrackEval's HOTA.
    """
    rows = []
    for arm, of_arm in by_arm(arms).items():
        cases = {result.sequence: (result.counts, result.results) for result in of_arm}
        cases[COMBINED] = _combined(of_arm)
        for sequence, (counts, results) in cases.items():
            scores = (official_scores(results), motmetrics_scores(counts, results))
            rows += [
                {"scorer": s, "arm": arm, "sequence": sequence, **asdict(v)}
                for s, v in zip(SCORERS, scores, strict=True)
            ]
    return pd.DataFrame(rows).sort_values("scorer", kind="stable", ascending=False, ignore_index=True)


def by_arm(arms: Sequence[ArmResult]) -> dict[str, list[ArmResult]]:
    """Return the results of each arm that ran, in the order of the arms."""
    return {arm: of_arm for arm in ARMS if (of_arm := [result for result in arms if result.arm == arm])}


def score_tree(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Return the reported scores as arm → sequence → score; `difference` is the gain of the arm `appearance`."""
    reported = table[table["scorer"] == SCORERS[0]].drop(columns="scorer").set_index(["arm", "sequence"])
    arms = reported.index.unique("arm")
    tree = {arm: {sequence: _plain(row) for sequence, row in reported.loc[arm].iterrows()} for arm in arms}
    if not {APPEARANCE, NO_APPEARANCE} <= set(arms):
        return tree
    difference = reported.loc[APPEARANCE] - reported.loc[NO_APPEARANCE]
    return tree | {DIFFERENCE: {sequence: _plain(row) for sequence, row in difference.iterrows()}}


def _combined(arms: Sequence[ArmResult]) -> tuple[Counts, Results]:
    return combine_counts(result.counts for result in arms), combine_results(
        {result.sequence: result.results for result in arms}
    )


def _plain(row: pd.Series) -> dict[str, float]:
    """Return scores as numbers that JSON can hold; counts stay integers."""
    return {f.name: int(row[f.name]) if f.type is int else float(row[f.name]) for f in fields(TrackingScores)}
