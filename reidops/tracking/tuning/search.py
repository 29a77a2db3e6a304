"""A search for a tracker's constants by optuna's tree-structured Parzen estimator, scored on all sequences together."""

import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Rows
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from reidops.boxes.embeddings import EmbeddedDetections, confidence_floor, read_embeddings
from reidops.mot.sequences import read_annotations, read_sequence
from reidops.parallel import map_parallel
from reidops.parts import Part
from reidops.progress_bar import progress_bar
from reidops.tracking.constants import constants_of
from reidops.tracking.evaluation.arm_results import FRAMES_OF_ONE_PROCESS
from reidops.tracking.evaluation.scoring import (
    Results,
    combine_results,
    compare,
    official_results,
    official_scores,
    rules_of,
)
from reidops.tracking.evaluation.setups import TrackerSetup
from reidops.tracking.trackers import finish_tracks, new_camera, new_tracker, track_sequence
from reidops.tracking.tuning.search_spaces import OF_ALL, SearchSpace

SHOWN = ("IDF1", "HOTA", "AssA", "MOTA", "IDSW")
START = 0  # number of the trial before the search, with held and published values


@dataclass(frozen=True)
class Budget:
    """The length of a search, and its objective.

    Attributes:
        score: IDF1, HOTA, MOTA or AssA, of all sequences together.
        timeout_s: no trial begins later; None = no limit. With a limit the result depends on the machine.
    """

    trials: int
    score: str
    seed: int = 0
    timeout_s: float | None = None


@dataclass(frozen=True)
class Tried:
    """One trial: the values of its knobs (None = the setting's gate or least confidence) and its scores by name."""

    number: int
    values: Mapping[str, Any]
    scores: Mapping[str, float]


def search_constants(
    parts: Rows[Part], setup: TrackerSetup, space: SearchSpace, budget: Budget, *, appearance: bool = True
) -> list[Tried]:
    """Return all trials; the first is the start, with the held values and published constants.

    Args:
        setup: shared by the trials; its constants are not used.
        appearance: False = track without embeddings.

    Raises:
        ReidopsError: embeddings are missing, broken or of another model, or annotations contradict themselves.
    """
    workers = _num_workers(parts, budget.trials + 1)
    if setup.camera:  # once, before the trials use it
        map_parallel(partial(new_camera, camera=setup.camera), parts, workers, desc="camera")
    score = partial(_score_values, parts=parts, setup=setup, appearance=appearance, workers=workers)
    start = Tried(START, _start_values(space), score(space.held))
    return [start, *run_trials(space, score, budget, floor=start.scores[budget.score])]


def run_trials(
    space: SearchSpace, score: Callable[[Mapping[str, Any]], Mapping[str, float]], budget: Budget, *, floor: float
) -> Iterator[Tried]:
    """Yield the trials of a search; values that were drawn before are not scored again.

    Args:
        score: returns the scores of some values, by name.
        floor: the score to beat, shown by the progress bar until a trial does.
    """
    import optuna  # not at the top: the processes that track do not need it

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=budget.seed))
    known: dict[tuple[Any, ...], Mapping[str, float]] = {}
    end = time.monotonic() + budget.timeout_s if budget.timeout_s else np.inf
    with progress_bar(range(1, budget.trials + 1), desc=f"tune {space.tracker}", unit="trials") as bar:
        for number in bar:
            if time.monotonic() > end:
                return
            asked = study.ask()
            values = space.draw(asked)
            drawn = tuple(values.values())
            scores = known[drawn] = known[drawn] if drawn in known else score(values)
            study.tell(asked, scores[budget.score])
            bar.set_postfix_str(f"{budget.score} {max(floor, study.best_value):.3f}, at first {floor:.3f}")
            yield Tried(number, values, scores)


def best_of(trials: Rows[Tried], score: str) -> Tried:
    """Return the first trial with the highest score; the start if no trial is better."""
    return max(trials, key=lambda tried: tried.scores[score])


def _start_values(space: SearchSpace) -> dict[str, Any]:
    published = asdict(constants_of(space.tracker, {}))
    return {name: space.held.get(name, published.get(name)) for name in (*space.held, *space.knobs)}


def split_values(values: Mapping[str, Any], tracker: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the constants that differ from the published ones, and the gate and least confidence if given."""
    published = asdict(constants_of(tracker, {}))
    constants = {name: value for name, value in values.items() if name in published and value != published[name]}
    return constants, {name: values[name] for name in OF_ALL if values.get(name) is not None}


def _score_values(
    values: Mapping[str, Any], parts: Rows[Part], setup: TrackerSetup, appearance: bool, workers: int | None
) -> dict[str, float]:
    """Return the scores of all parts together with some values."""
    constants, of_all = split_values(values, setup.tracker)
    job = partial(
        _results,
        setup=replace(setup, constants=constants_of(setup.tracker, constants), **of_all),
        appearance=appearance,
    )
    # the longest first, so that no process starts it last
    ordered = sorted(parts, key=lambda part: -part.num_frames)
    results = map_parallel(job, ordered, workers)
    scores = asdict(
        official_scores(combine_results({part.sequence: found for part, found in zip(ordered, results, strict=True)}))
    )
    return {name: scores[name] for name in SHOWN}


def _num_workers(parts: Rows[Part], num_trials: int) -> int | None:
    """Return 1 if a single process is faster than starting others for all trials, else None, one per core."""
    return None if num_trials * sum(part.num_frames for part in parts) > FRAMES_OF_ONE_PROCESS else 1


def _results(part: Part, setup: TrackerSetup, appearance: bool) -> Results:
    """Return TrackEval's results of one sequence."""
    sequence = read_sequence(part.folder)
    detected = read_embeddings(setup.embeddings / f"{part.sequence}.npz", setup.weights_sha256)
    floor = confidence_floor(setup.min_confidence, sequence.detector)
    if floor is not None:
        detected = detected.keep(detected.confidence >= floor)
    frames = part.frames(setup.frame_stride)
    camera = new_camera(part, setup.camera, setup.frame_stride) if setup.camera else None
    frame_rate = sequence.frame_rate / setup.frame_stride
    tracker = new_tracker(setup.tracker, setup.gate, setup.constants, camera, frame_rate=frame_rate)
    tracks = finish_tracks(track_sequence(tracker, detected, frames, appearance=appearance), setup.finishing)
    annotations = read_annotations(sequence)
    return official_results(
        compare(annotations[annotations["frame"].isin(frames)], tracks, frames, rules_of(part.dataset))
    )


def without_embeddings(detections: pd.DataFrame, weights_sha256: str) -> EmbeddedDetections:
    """Return a detections table for trackers without appearance; each embedding is a single zero."""
    box_ltwh = detections[["left", "top", "width", "height"]].to_numpy(np.float32)
    frame, confidence = detections["frame"].to_numpy(np.int32), detections["confidence"].to_numpy(np.float32)
    return EmbeddedDetections(frame, box_ltwh, confidence, np.zeros((len(frame), 1), np.float32), weights_sha256)
