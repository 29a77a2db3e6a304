"""Embed the detections of the tracked sequences and their annotated boxes.

Reads:  data/raw (parts.csv; gt.txt and frames of the `track` rows), data/detections, data/model
Writes: data/embeddings/<sequence>.npz, and annotations/<sequence>.npz for the first sequence of each scene; neither if
        no sequence is tracked; trained_on.json, a copy of the entry `trained_on` in the model's embedder.json
"""

import logging
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

from reidops.boxes.embeddings import (
    ANNOTATIONS,
    choose_detections,
    confidence_floor,
    embed_sequence,
    embed_with_people,
    first_of_scenes,
    write_embeddings,
)
from reidops.datasets.origin import check_tracked, read_origin
from reidops.embedding.embedder import DESCRIPTION, Embedder
from reidops.files import whole_folder, write_json
from reidops.memory import keep_freed_memory
from reidops.mot.sequences import read_annotations, read_detection_file, read_sequence
from reidops.parallel import cluster_address, map_parallel
from reidops.parts import Part, find_tracked_parts
from reidops.stage_times import keep_times
from reidops.step_times import StepTimes, describe_times
from stages import run_stage
from stages.params.embed import EmbedParams

log = logging.getLogger(__name__)


def embed(raw: Path, detections: Path, model: Path, embeddings: Path, params: EmbedParams) -> None:
    """Write one file of embedded detections per tracked sequence, and one of annotated boxes per scene.

    Both hold the frames of the part only.
    """
    parts = find_tracked_parts(raw)
    embedder = Embedder.load(model)
    origin = read_origin(embedder.description.trained_on, str(model))
    for part in parts:
        check_tracked(origin, part.sequence, part.dataset, part.scene, (part.first_frame, part.last_frame))
    annotated = first_of_scenes(parts) if params.annotations else []
    times = StepTimes()
    with whole_folder(embeddings) as folder, times.measure("embed"):
        write_json(embedder.description.trained_on, folder / "trained_on.json")
        counts = map_parallel(
            partial(
                _embed_part,
                detections=detections,
                load=partial(_load_on_worker, model) if cluster_address() else lambda: embedder,
                folder=folder,
                params=params,
            ),
            [(part, part in annotated) for part in _longest_first(parts, detections)],
            None if cluster_address() else 1,
        )
    per_frame = times.ms_per_frame(sum(part.num_frames for part in parts))
    keep_times(embeddings, per_frame)
    if not parts:
        log.warning("%s: no row has the part `track`: nothing is embedded or tracked", raw / "parts.csv")
    log.info(
        "embedded %s detections and %s ground truth boxes of %d sequences%s",
        f"{sum(detected for detected, _ in counts):,}",
        f"{sum(people for _, people in counts):,}",
        len(parts),
        f"; {describe_times(per_frame)}" if per_frame else "",
    )


def _longest_first(parts: list[Part], detections: Path) -> list[Part]:
    """Return the parts by the sizes of their detections, so that no worker starts a long one last."""
    files = {part: detections / f"{part.sequence}.txt" for part in parts}
    # A missing file is reported where it is read.
    return sorted(parts, key=lambda part: -files[part].stat().st_size if files[part].is_file() else 0)


def _load_on_worker(model: Path) -> Embedder:
    """Return the model; a worker of a cluster keeps it for the next part, while its description is the same."""
    keep_freed_memory()  # as `run_stage` does for the stage's own process
    return _load_once(model.resolve(), (model / DESCRIPTION).read_text())


@lru_cache(maxsize=1)
def _load_once(model: Path, description: str) -> Embedder:
    return Embedder.load(model)


def _embed_part(
    job: tuple[Part, bool], detections: Path, load: Callable[[], Embedder], folder: Path, params: EmbedParams
) -> tuple[int, int]:
    """Write the embeddings of a part, and of its annotated boxes if the job says so; return the numbers of both."""
    part, with_people = job
    embedder = load()
    sequence = read_sequence(part.folder)
    chosen = choose_detections(
        read_detection_file(detections / f"{part.sequence}.txt", sequence.length),
        min_confidence=confidence_floor(params.min_confidence, sequence.detector),
        nms=params.nms,
    )
    num_people = 0
    if with_people:
        annotations = _of_part(read_annotations(sequence), part)
        detected, people = embed_with_people(sequence, chosen, annotations, embedder, batch_size=params.batch_size)
        write_embeddings(people, folder / ANNOTATIONS / f"{part.sequence}.npz")
        num_people = len(people)
    else:
        detected = embed_sequence(sequence, chosen, embedder, batch_size=params.batch_size)
    write_embeddings(detected, folder / f"{part.sequence}.npz")
    return len(detected), num_people


def _of_part(boxes: pd.DataFrame, part: Part) -> pd.DataFrame:
    return boxes[boxes["frame"].between(part.first_frame, part.last_frame)]


if __name__ == "__main__":
    run_stage(embed)
