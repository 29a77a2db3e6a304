"""Embed every detection of the tracked sequences, once per model and detection set.

Reads:  data/raw (parts.csv; det.txt and frames of the `track` rows), data/model
Writes: data/embeddings/<sequence>.npz
"""

import logging
from pathlib import Path
from typing import Annotated

from pydantic import Field

from reidops.files import whole_folder
from reidops.params import params_dataclass
from stages import run_stage

log = logging.getLogger(__name__)


@params_dataclass
class EmbedParams:
    """Which detections are embedded, and how many at a time."""

    # Least score in the detector's own scale; null = all; or one per detector, {DPM: 0.0, FRCNN: 0.3, SDP: 0.3}.
    min_confidence: float | dict[str, float] | None = None
    nms: Annotated[float, Field(ge=0, le=1)] | None = None  # IoU; of two boxes above it only the better one stays; null = both
    batch_size: Annotated[int, Field(ge=1)] = 64  # crops per forward pass


def embed(raw: Path, model: Path, embeddings: Path, params: EmbedParams) -> None:
    """Write one file of embedded detections for each tracked sequence, of the frames of its part only."""
    from reidops.embedding.embedder import Embedder
    from reidops.mot.sequences import read_detections, read_sequence
    from reidops.tracking.embeddings import choose_detections, confidence_floor, embed_sequence, tracked_parts, write_embeddings

    embedder = Embedder.load(model)
    counts = {}
    with whole_folder(embeddings) as folder:
        for part in tracked_parts(raw):
            sequence = read_sequence(part.folder)
            detections = read_detections(sequence)
            detections = detections[detections["frame"].between(part.first_frame, part.last_frame)]
            floor = confidence_floor(params.min_confidence, sequence.detector)
            chosen = choose_detections(detections, min_confidence=floor, nms=params.nms)
            detected = embed_sequence(sequence, chosen, embedder, batch_size=params.batch_size)
            write_embeddings(detected, folder / f"{part.sequence}.npz")
            counts[part.sequence] = len(detected)
    log.info("embedded %s detections of %d sequences", f"{sum(counts.values()):,}", len(counts))


if __name__ == "__main__":
    run_stage(embed, EmbedParams)
