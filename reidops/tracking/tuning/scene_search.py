"""A search for a tracker's constants on scenes of a data set: detections, embeddings, trials and the written result."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import pandas as pd

from reidops.boxes.embeddings import (
    EmbeddedDetections,
    choose_detections,
    confidence_floor,
    embed_sequence,
    write_embeddings,
)
from reidops.detection.settings import DetectorSettings
from reidops.detection.sources import open_source
from reidops.embedding.embedder import Embedder
from reidops.mot.sequences import read_sequence
from reidops.parts import Part, read_parts
from reidops.tracking.constants import GATES
from reidops.tracking.evaluation.setups import TrackerSetup, calibrated_setup
from reidops.tracking.tuning.scenes import STRANGERS, choose_scenes, people_of, scene_rows
from reidops.tracking.tuning.search import Budget, search_constants
from reidops.tracking.tuning.search_report import format_search, write_search
from reidops.tracking.tuning.search_spaces import search_space

log = logging.getLogger(__name__)

__all__ = ["Budget", "Detected", "SceneSearch", "SearchedTracker", "search_scenes"]


@dataclass(frozen=True)
class SearchedTracker:
    """The tracker whose constants are searched.

    Attributes:
        gate: `calibrated`, `published`, or a number in the tracker's own cost.
        min_confidence: least confidence of a detection; None = all; or one per detector.
        camera_motion: as in the params, see `constants.camera_of`.
        frame_stride: every stride-th frame is tracked and scored.
    """

    name: str
    gate: float | str
    min_confidence: float | dict[str, float] | None
    camera_motion: str
    frame_stride: int = 1


@dataclass(frozen=True)
class Detected:
    """The detections of the scenes, as the stages `detect` and `embed` choose them."""

    source: str
    detector: DetectorSettings
    nms: float | None
    batch_size: int
    scale: float | Mapping[str, float] = 1.0


@dataclass(frozen=True)
class SceneSearch:
    """The scenes, the search space of the tracker and the use of appearance; see the section `tune` of the params."""

    sequences: tuple[str, ...]
    space: Mapping[str, Any]
    appearance: Literal["auto"] | bool
    budget: Budget


def search_scenes(
    raw: Path,
    model: Path,
    calibration: Path,
    folder: Path,
    *,
    search: SceneSearch,
    tracker: SearchedTracker,
    detected: Detected,
) -> None:
    """Search on the scenes of `raw` and write constants.json, metrics.json, trials.csv and trials.png to `folder`.

    Raises:
        ReidopsError: no scene is left, a name is unknown, or an input is missing or of another model.
    """
    parts = read_parts(raw)
    chosen = choose_scenes(parts, search.sequences)
    space = search_space(tracker.name, dict(search.space))
    appearance = _uses_appearance(search, chosen, parts)
    with TemporaryDirectory(dir=folder) as embeddings:
        setup = _tracker_setup(Path(embeddings), calibration, tracker)
        embedder = Embedder.load(model) if appearance and tracker.name in GATES else None
        _embed(chosen, embedder, setup, space.floor(tracker.min_confidence), detected)
        trials = search_constants(chosen, setup, space, search.budget, appearance=appearance)
    write_search(trials, space, search.budget.score, scene_rows(chosen, parts), folder)
    log.info(
        "tuned on %s, %s\n%s",
        ", ".join(part.sequence for part in chosen),
        "with motion only" if embedder is None else "with the embeddings of the model",
        format_search(trials, space, search.budget.score),
    )


def _uses_appearance(search: SceneSearch, chosen: list[Part], parts: list[Part]) -> bool:
    if search.appearance == "auto":
        return all(people_of(part, parts) == STRANGERS for part in chosen)
    return search.appearance


def _tracker_setup(embeddings: Path, calibration: Path, tracker: SearchedTracker) -> TrackerSetup:
    """Return the tracker set-up that all trials share, with the published constants."""
    setup = calibrated_setup(
        embeddings,
        calibration,
        tracker=tracker.name,
        gate=tracker.gate,
        min_confidence=tracker.min_confidence,
        constants={},
        camera_motion=tracker.camera_motion,
    )
    return replace(setup, frame_stride=tracker.frame_stride)


def _embed(
    parts: list[Part],
    embedder: Embedder | None,
    setup: TrackerSetup,
    floor: float | dict[str, float] | None,
    detected: Detected,
) -> None:
    """Write the detections of each scene with the model's embeddings, or with zeros without an embedder."""
    source = open_source(detected.source, detected.detector, detected.scale)
    for part in parts:
        sequence = read_sequence(part.folder)
        found = source.detections(sequence, part.frames())
        least = confidence_floor(floor, sequence.detector)
        chosen = choose_detections(found, min_confidence=least, nms=detected.nms)
        if embedder is None:
            rows = _without_embeddings(chosen, setup.weights_sha256)
        else:
            rows = embed_sequence(sequence, chosen, embedder, batch_size=detected.batch_size)
        write_embeddings(rows, setup.embeddings / f"{part.sequence}.npz")


def _without_embeddings(detections: pd.DataFrame, weights_sha256: str) -> EmbeddedDetections:
    """Return a detections table for trackers without appearance; each embedding is a single zero."""
    box_ltwh = detections[["left", "top", "width", "height"]].to_numpy(np.float32)
    frame, confidence = detections["frame"].to_numpy(np.int32), detections["confidence"].to_numpy(np.float32)
    return EmbeddedDetections(frame, box_ltwh, confidence, np.zeros((len(frame), 1), np.float32), weights_sha256)
