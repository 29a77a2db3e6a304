"""Embed the detections of held-out people in training sequences, so that the gate is fitted on real detector boxes."""

from collections.abc import Sequence as Rows

import numpy as np
import pandas as pd

from reidops.boxes.box_embedding import CropEmbedder, embed_sequence_boxes
from reidops.boxes.embeddings import first_of_scenes
from reidops.boxes.identities import NO_PERSON, annotated_rows
from reidops.mot.sequences import Sequence, read_annotations, read_detections, read_sequence
from reidops.parts import Part
from reidops.retrieval.crop_distances import Crops

BOX = ["left", "top", "width", "height"]


def detected_crops(parts: Rows[Part], held_out: pd.DataFrame, embedder: CropEmbedder, batch_size: int = 64) -> Crops:
    """Return the detections of held-out people in the training frames, without rows if there are no detections.

    Detections and annotated pedestrians are matched one to one in each frame, at an IoU of 0.5 or more. Of a scene with
    several detectors the first one is used, as for the crops.

    Args:
        held_out: rows of the crops table with these people.

    Raises:
        ReidopsError: a sequence's files cannot be read.
    """
    rows = [_of_part(part, held_out) for part in _detected_parts(parts)]
    crops = [_embed(sequence, detections, embedder, batch_size) for sequence, detections in rows if len(detections)]
    empty = Crops(
        np.empty((0, embedder.dim), np.float32),
        *(np.empty(0, np.int64) for _ in range(3)),
        *(np.empty(0) for _ in range(2)),
    )
    return Crops(
        *(np.concatenate([getattr(part, name) for part in (empty, *crops)]) for name in Crops.__dataclass_fields__)
    )


def _detected_parts(parts: Rows[Part]) -> list[Part]:
    """Return the MOT sequences that trained and have detections, one for each scene."""
    trained = [part for part in parts if part.part == "train" and part.layout == "mot"]
    return first_of_scenes([part for part in trained if (part.folder / "det" / "det.txt").is_file()])


def _of_part(part: Part, held_out: pd.DataFrame) -> tuple[Sequence, pd.DataFrame]:
    """Return a sequence and the detections of its held-out people with pid, camid and visibility."""
    sequence = read_sequence(part.folder)
    of_scene = held_out[(held_out["dataset"] == part.dataset) & (held_out["scene"] == part.scene)]
    people = of_scene.drop_duplicates("track_id").set_index("track_id")[["pid", "camid"]]
    annotations, detections = read_annotations(sequence), read_detections(sequence)
    detections = detections[detections["frame"].between(part.first_frame, part.last_frame)].sort_values(
        "frame", kind="stable"
    )
    shown = annotated_rows(detections["frame"].to_numpy(), detections[BOX].to_numpy(), annotations, among="pedestrians")
    detections = detections[shown != NO_PERSON].reset_index(drop=True)
    of_detection = annotations.iloc[shown[shown != NO_PERSON]][["track_id", "visibility"]].reset_index(drop=True)
    return sequence, detections.join(of_detection).join(people, on="track_id", how="inner")


def _embed(sequence: Sequence, detections: pd.DataFrame, embedder: CropEmbedder, batch_size: int) -> Crops:
    frames, box_ltwh = detections["frame"].to_numpy(), detections[BOX].to_numpy()
    embeddings = embed_sequence_boxes(
        sequence, frames, box_ltwh, embedder, batch_size=batch_size, desc="embed detections of"
    )
    large_enough = embeddings.any(axis=1)
    columns = ("pid", "camid", "frame", "visibility", "height")
    return Crops(embeddings, *(detections[name].to_numpy() for name in columns)).of(np.flatnonzero(large_enough))
