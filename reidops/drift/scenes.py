"""Observe scenes: those of a pipeline's data for the reference, or new sequences."""

import logging
from collections.abc import Sequence
from pathlib import Path

from reidops.boxes.box_embedding import CropEmbedder
from reidops.boxes.embeddings import first_of_scenes
from reidops.drift.observations import Observations, observe
from reidops.drift.reference import Reference, make_reference
from reidops.errors import ReidopsError
from reidops.mot.sequences import find_sequences, read_detections, read_sequence
from reidops.parts import Part

log = logging.getLogger(__name__)

_MOT = "mot"


def reference_of_parts(parts: Sequence[Part], embedder: CropEmbedder, gate: float) -> Reference | None:
    """Return the reference of all scenes of a pipeline with published detections; None if they are too few.

    Each scene counts once, with the detections of its first copy.
    """
    scenes = first_of_scenes([part for part in parts if part.layout == _MOT])
    folders = list(dict.fromkeys(part.folder for part in scenes if (part.folder / "det" / "det.txt").is_file()))
    try:
        observed = [_observe_folder(folder, embedder) for folder in folders]
        return make_reference(observed, gate, embedder.weights_sha256)
    except ReidopsError as error:
        log.warning("the model gets no drift reference: %s", error)
        return None


def observe_sequences(folders: Sequence[Path], embedder: CropEmbedder) -> list[Observations]:
    """Return the observations of sequences in MOTChallenge's layout, or of all sequences of a data set.

    Raises:
        ReidopsError: there is no sequence, or one has no detections.
    """
    found: list[Path] = []
    for folder in folders:
        is_sequence = (folder / "seqinfo.ini").is_file()
        found += [folder] if is_sequence else [sequence.folder for sequence in find_sequences(folder)]
    if not found:
        raise ReidopsError(f"{', '.join(map(str, folders))}: no sequence with seqinfo.ini found")
    return [_observe_folder(folder, embedder) for folder in found]


def _observe_folder(folder: Path, embedder: CropEmbedder) -> Observations:
    sequence = read_sequence(folder)
    return observe(sequence, read_detections(sequence), embedder)
