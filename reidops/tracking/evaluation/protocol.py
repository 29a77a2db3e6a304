"""Which frames trained, tuned and are reported; a test that is not fair is refused."""

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reidops.datasets.families import family_of
from reidops.datasets.origin import Origin, check_tracked, is_same_video, read_origin
from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.parts import Part

MOT = "mot"


@dataclass(frozen=True)
class Tuning:
    """The result of a search for constants, and its frames: rows of dataset, sequence, scene, first_frame, last_frame.

    `gate` (in the tracker's own cost) and `min_confidence` are None if they were not searched.
    """

    tracker: str
    constants: Mapping[str, Any]
    tuned_on: Rows[Mapping[str, Any]]
    source: str = ""
    gate: float | None = None
    min_confidence: float | None = None


def read_tuning(path: Path, tracker: str) -> Tuning | None:
    """Return the result of a search; None if the file states that nothing was searched.

    Raises:
        ReidopsError: the file is missing, lacks the tracker, the constants or the frames, or is of another tracker.
    """
    found = read_json(path)
    missing = [name for name in ("tracker", "constants", "tuned_on") if name not in found]
    if missing:
        raise ReidopsError(
            f"{path}: does not say {', '.join(missing)}; constants are taken only from a search that names its tracker "
            f"and its frames"
        )
    if not found["tuned_on"]:
        return None
    for row in found["tuned_on"]:
        if not (isinstance(row, Mapping) and row.keys() >= {"dataset", "sequence", "scene"}):
            raise ReidopsError(
                f"{path}: tuned_on holds {row}; expected dataset, sequence and scene of each sequence that was tuned on"
            )
    if found["tracker"] != tracker:
        raise ReidopsError(
            f"{path}: holds constants of {found['tracker']}, but evaluate_tracking.tracker is {tracker};"
            f" run the search again with `dvc repro -f tune`, or set evaluate_tracking.tuning to null"
        )
    return Tuning(
        found["tracker"],
        found["constants"],
        found["tuned_on"],
        str(path),
        found.get("gate"),
        found.get("min_confidence"),
    )


def read_model_origin(embeddings: Path) -> Origin:
    """Return the recorded trainings of the model that made the embeddings (trained_on.json beside them)."""
    path = embeddings / "trained_on.json"
    return read_origin(read_json(path) if path.is_file() else {}, "the model")


def check_protocol(parts: Rows[Part], tuning: Tuning | None, origin: Origin) -> None:
    """Refuse to report on frames that trained the model, or on scenes on which constants were tuned.

    Sets of one family (MOT15, MOT16, MOT17) have the same videos: a frame of MOT16-02 is one of MOT17-02.

    Raises:
        ReidopsError: names the sequence and the frames.
    """
    tracked = [part for part in parts if part.part == "track"]
    for part in tracked:
        for train in (other for other in parts if other.part == "train" and _same_video(part, other)):
            first, last = max(train.first_frame, part.first_frame), min(train.last_frame, part.last_frame)
            if first <= last:
                raise ReidopsError(
                    f"parts.csv: frames {first} … {last} of {part.sequence} are tracked, but {train.sequence} of "
                    f"{train.dataset} trained on them;"
                    " choose other sequences or split: half in the section download of params.yaml"
                )
        check_tracked(origin, part.sequence, part.dataset, part.scene, (part.first_frame, part.last_frame))
        _check_tuning(part, tuning)


def _check_tuning(part: Part, tuning: Tuning | None) -> None:
    if tuning is None:
        return
    for row in tuning.tuned_on:
        if (family_of(row["dataset"]), row["scene"]) == (family_of(part.dataset), part.scene):
            raise ReidopsError(
                f"{tuning.source}: the constants of {tuning.tracker} were tuned on {row['sequence']}, the scene of "
                f"{part.sequence}, which is to be"
                " reported; tune on other sequences, or report on others"
            )


def describe_protocol(
    parts: Rows[Part], *, tracker: str, changed: Mapping[str, Any], tuning: Tuning | None, origin: Origin
) -> dict[str, Any]:
    """Return what is needed to interpret the figures: what trained, tuned, was tested and is reported.

    Args:
        changed: the tracker's constants that differ from the published ones, set by a search or by params.yaml.
        origin: the recorded trainings of the model; with `train.epochs` 0 they are not the sets of the part `train`.
    """
    return {
        "trained_on": [_trained_row(row) for row in origin.scenes] or _untrained(origin),
        "started_from": {"weights": origin.started_from, "unknown": origin.unknown_start or None},
        "tested_on": [_row(part) for part in parts if part.part == "test"],
        "reported_on": [_row(part) | {"kind": _kind(part, origin)} for part in parts if part.part == "track"],
        "tracker": tracker,
        "constants": {"published_but_for": dict(changed), "found_by": tuning.source if tuning else None}
        | _found_beside(tuning),
        "tuned_on": list(tuning.tuned_on)
        if tuning
        else "nothing in this pipeline: published constants, but for those named beside",
    }


def _found_beside(tuning: Tuning | None) -> dict[str, float]:
    """Return the gate and the least confidence if a search found them."""
    found = {"gate": tuning.gate, "min_confidence": tuning.min_confidence} if tuning else {}
    return {name: value for name, value in found.items() if value is not None}


def _untrained(origin: Origin) -> str:
    """Return what weights without a recorded training are."""
    if origin.unknown_start:
        return f"unknown: there is no record of the training of {origin.unknown_start}"
    return f"nothing: {origin.started_from}"


def _trained_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data set, the frames of a MOT scene, and what is special: people left out, or no labels."""
    names = ("dataset", "sequence", "scene", "first_frame", "last_frame") if row["first_frame"] else ("dataset",)
    special = ("left_out", "adapted", "transductive", "num_tracklets", "num_crops")
    return {name: row[name] for name in (*names, *(name for name in special if name in row))}


def _kind(part: Part, origin: Origin) -> str:
    """Return how closely the reported frames are related to the training data."""
    if any(row.get("transductive") and is_same_video(row, part.dataset, part.scene) for row in origin.scenes):
        return "transductive: frames of this scene, which may be the reported ones, trained without labels"
    if any(is_same_video(row, part.dataset, part.scene) for row in origin.scenes):
        return "half: other frames of this scene trained"
    if any(family_of(part.dataset) == family_of(row["dataset"]) for row in origin.scenes):
        return "scene: other scenes of this data set trained"
    if origin.unknown_start:
        return f"unknown: what {origin.unknown_start} was trained on is not known"
    return "cross-set: no scene of this data set trained" if origin.scenes else "untrained: nothing trained the model"


def _same_video(part: Part, other: Part) -> bool:
    if part.layout != MOT or other.layout != MOT:
        return False
    return (family_of(part.dataset), part.scene) == (family_of(other.dataset), other.scene)


def _row(part: Part) -> dict[str, Any]:
    row = {
        "dataset": part.dataset,
        "sequence": part.sequence,
        "scene": part.scene,
        "first_frame": part.first_frame,
        "last_frame": part.last_frame,
    }
    return row if part.layout == MOT else {"dataset": part.dataset}
