"""The scores of one trial of a search: all sequences are tracked with one set of constants.

Worker processes import this module, which therefore does not import optuna.
"""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from reidops.boxes.embeddings import confidence_floor, read_embeddings
from reidops.mot.sequences import read_annotations, read_sequence
from reidops.parallel import map_parallel
from reidops.parts import Part
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
from reidops.tracking.tuning.search_spaces import OF_ALL

SHOWN = ("IDF1", "HOTA", "AssA", "MOTA", "IDSW")


def split_values(values: Mapping[str, Any], tracker: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the constants that differ from the published ones, and the gate and least confidence if given."""
    published = asdict(constants_of(tracker, {}))
    constants = {name: value for name, value in values.items() if name in published and value != published[name]}
    return constants, {name: values[name] for name in OF_ALL if values.get(name) is not None}


def score_values(
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


def num_workers(parts: Rows[Part], num_trials: int) -> int | None:
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
