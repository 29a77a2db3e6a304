"""One sequence, tracked and scored by each arm: with appearance, and the control, the same tracker without it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import pandas as pd

from reidops.mot.sequences import read_annotations, read_sequence
from reidops.parallel import map_parallel
from reidops.parts import Part
from reidops.tracking.constants import DeepSortConstants
from reidops.tracking.embeddings import EmbeddedDetections, confidence_floor, read_embeddings
from reidops.tracking.events import Counts, accumulate, combine_counts, count_events, event_table, reported_scores
from reidops.tracking.scoring import (
    Results, TrackingScores, combine_results, compare, official_results, official_scores, rules_of,
)  # fmt: skip
from reidops.tracking.trackers import Tracker, new_tracker, track_sequence

ARMS = {"appearance": True, "no_appearance": False}
COMBINED = "combined"
SCORERS = ("reported", "trackeval")


@dataclass(frozen=True)
class ArmResult:
    """What one arm made of one sequence: its tracks (px 0-based), motmetrics' events and counts, TrackEval's results."""

    arm: str
    sequence: str
    tracks: pd.DataFrame
    events: pd.DataFrame
    counts: Counts
    results: Results


@dataclass(frozen=True)
class Trial:
    """What is tried: detections of at least some confidence, a tracker by name with its gate and constants."""

    embeddings: Path  # folder of the sequences' files
    weights_sha256: str  # the model that must have made them
    min_confidence: float | dict[str, float] | None
    tracker: str
    cosine_gate: float
    constants: DeepSortConstants


def evaluate_parts(parts: Sequence[Part], trial: Trial) -> list[ArmResult]:
    """Return what each arm makes of each part, sequences side by side.

    Raises:
        ReidopsError: embeddings are missing, broken or another model's, or annotations contradict themselves.
    """
    # To start a process costs about as much as to track and score a thousand frames.
    workers = None if sum(part.num_frames for part in parts) > 2000 else 1
    return [result for arms in map_parallel(partial(_evaluate_part, trial=trial), parts, workers, desc="track") for result in arms]


def _evaluate_part(part: Part, trial: Trial) -> list[ArmResult]:
    sequence = read_sequence(part.folder)
    detected = read_embeddings(trial.embeddings / f"{part.sequence}.npz", trial.weights_sha256)
    floor = confidence_floor(trial.min_confidence, sequence.detector)
    if floor is not None:
        detected = detected.keep(detected.confidence >= floor)
    return evaluate_sequence(part, detected, partial(new_tracker, trial.tracker, trial.cosine_gate, trial.constants))


def evaluate_sequence(part: Part, detected: EmbeddedDetections, start: Callable[[], Tracker]) -> list[ArmResult]:
    """Return what each arm makes of the part's frames of a sequence; frames outside the part are neither tracked nor scored.

    Args:
        start: makes the tracker, a new one for each arm.
    """
    annotations = read_annotations(read_sequence(part.folder))
    frames = range(part.first_frame, part.last_frame + 1)
    return [_evaluate_arm(arm, part, detected, start(), annotations[annotations["frame"].isin(frames)]) for arm in ARMS]


def _evaluate_arm(
    arm: str, part: Part, detected: EmbeddedDetections, tracker: Tracker, annotations: pd.DataFrame
) -> ArmResult:
    frames = range(part.first_frame, part.last_frame + 1)
    tracks = track_sequence(tracker, detected, frames, appearance=ARMS[arm])
    comparison = compare(annotations, tracks, frames, rules_of(part.dataset))
    record = accumulate(comparison)
    return ArmResult(arm, part.sequence, tracks, event_table(record), count_events(record), official_results(comparison))


def score_table(arms: Sequence[ArmResult]) -> pd.DataFrame:
    """Return one row per scorer, arm and sequence, then `combined`: columns scorer, arm, sequence and the scores.

    The scorer `reported` is motmetrics with TrackEval's HOTA, `trackeval` is TrackEval throughout.
    """
    rows = []
    for arm in ARMS:
        of_arm = [result for result in arms if result.arm == arm]
        cases = {result.sequence: (result.counts, result.results) for result in of_arm}
        cases[COMBINED] = _combined(of_arm)
        for sequence, (counts, results) in cases.items():
            scores = (reported_scores(counts, results), official_scores(results))
            rows += [{"scorer": s, "arm": arm, "sequence": sequence, **asdict(v)} for s, v in zip(SCORERS, scores, strict=True)]
    return pd.DataFrame(rows).sort_values("scorer", kind="stable", ignore_index=True)


def score_tree(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Return the reported scores as arm → sequence → score, and `difference`: what appearance adds."""
    reported = table[table["scorer"] == SCORERS[0]].drop(columns="scorer").set_index(["arm", "sequence"])
    tree = {arm: {sequence: _plain(row) for sequence, row in reported.loc[arm].iterrows()} for arm in ARMS}
    difference = reported.loc["appearance"] - reported.loc["no_appearance"]
    return tree | {"difference": {sequence: _plain(row) for sequence, row in difference.iterrows()}}


def _combined(arms: Sequence[ArmResult]) -> tuple[Counts, Results]:
    return combine_counts(result.counts for result in arms), combine_results({result.sequence: result.results for result in arms})


def _plain(row: pd.Series) -> dict[str, float]:
    """Return scores as JSON's numbers; counts stay whole."""
    return {f.name: int(row[f.name]) if f.type is int else float(row[f.name]) for f in fields(TrackingScores)}
