"""Embed every detection of the tracked sequences, once per model and detection set, and the boxes of their ground
truth.

Reads:  data/raw (parts.csv; gt.txt and frames of the `track` rows), data/detections, data/model Writes:
data/embeddings/<sequence>.npz, annotations/<sequence>.npz of a scene's first sequence; neither where nothing is
tracked; trained_on.json, what the model's embedder.json says of its training
"""

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reidops.files import whole_folder, write_json
from reidops.params import params_dataclass
from stages import run_stage

if TYPE_CHECKING:
    import pandas as pd

    from reidops.parts import Part

log = logging.getLogger(__name__)


@params_dataclass
class EmbedParams:
    """Which detections are embedded, and how many at a time."""

    # Least score in the detector's own scale; null = all; or one per detector, {DPM: 0.0, FRCNN: 0.3, SDP: 0.3}.
    min_confidence: float | dict[str, float] | None = None
    # IoU; of two boxes above it only the better one stays; null = both
    nms: Annotated[float, Field(ge=0, le=1)] | None = None
    # ground truth boxes too, on which evaluate_reid tells the model's errors from the detector's
    annotations: bool = True
    batch_size: Annotated[int, Field(ge=1)] = 64  # crops per forward pass, of which a CPU has up to 8 at a time


def embed(raw: Path, detections: Path, model: Path, embeddings: Path, params: EmbedParams) -> None:
    """Write one file of embedded detections for each tracked sequence, of the frames of its part only, and one of its
    people.
    """
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
    from reidops.embedding.embedder import Embedder
    from reidops.mot.sequences import read_annotations, read_detection_file, read_sequence
    from reidops.parts import find_tracked_parts

    parts = find_tracked_parts(raw)
    embedder = Embedder.load(model)
    origin = read_origin(embedder.description.trained_on, str(model))
    for part in parts:
        check_tracked(origin, part.sequence, part.dataset, part.scene, (part.first_frame, part.last_frame))
    annotated = first_of_scenes(parts) if params.annotations else []
    counts = Counter()
    with whole_folder(embeddings) as folder:
        write_json(embedder.description.trained_on, folder / "trained_on.json")
        for part in parts:
            sequence = read_sequence(part.folder)
            floor = confidence_floor(params.min_confidence, sequence.detector)
            chosen = choose_detections(
                read_detection_file(detections / f"{part.sequence}.txt", sequence.length),
                min_confidence=floor,
                nms=params.nms,
            )
            if part in annotated:
                annotations = _of_part(read_annotations(sequence), part)
                detected, people = embed_with_people(
                    sequence, chosen, annotations, embedder, batch_size=params.batch_size
                )
                write_embeddings(people, folder / ANNOTATIONS / f"{part.sequence}.npz")
                counts["people"] += len(people)
            else:
                detected = embed_sequence(sequence, chosen, embedder, batch_size=params.batch_size)
            write_embeddings(detected, folder / f"{part.sequence}.npz")
            counts["detections"] += len(detected)
    if not parts:
        log.warning(
            "no row of %s plays the part `track`: nothing is embedded, nothing can be tracked", raw / "parts.csv"
        )
    log.info(
        "embedded %s detections and %s ground truth boxes of %d sequences",
        f"{counts['detections']:,}",
        f"{counts['people']:,}",
        len(parts),
    )


def _of_part(boxes: "pd.DataFrame", part: "Part") -> "pd.DataFrame":
    return boxes[boxes["frame"].between(part.first_frame, part.last_frame)]


if __name__ == "__main__":
    run_stage(embed, EmbedParams)
