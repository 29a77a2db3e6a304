"""The people of tracklets where there is ground truth. Only reports may use them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.boxes.identities import NO_PERSON, people_of_boxes
from reidops.mot.sequences import Sequence, read_annotations
from reidops.tracklets.joining import BOX


@dataclass(frozen=True)
class Truth:
    """The annotated people of the tracklets of a sequence.

    Attributes:
        table: piece, track_id (of most boxes, −1 = none), share (of the annotated boxes that are of this person).
        num_boxes, num_annotated, num_right: boxes in all, with an annotation, and of the person of their tracklet.
    """

    table: pd.DataFrame
    num_boxes: int
    num_annotated: int
    num_right: int


def has_truth(sequence: Sequence) -> bool:
    """Return whether a sequence has ground truth."""
    return (sequence.folder / "gt" / "gt.txt").is_file()


def match_truth(sequence: Sequence, boxes: pd.DataFrame) -> Truth:
    """Return the people of the tracklets; boxes are matched with annotations of an IoU of at least one half.

    Args:
        boxes: frame, box and piece.

    Raises:
        ReidopsError: gt.txt cannot be read.
    """
    people = people_of_boxes(
        boxes["frame"].to_numpy(), boxes[BOX].to_numpy(), read_annotations(sequence), among="pedestrians"
    )
    rows, num_right, num_annotated = [], 0, 0
    for piece, of_piece in boxes.groupby("piece").indices.items():
        known, counts = np.unique(people[of_piece][people[of_piece] != NO_PERSON], return_counts=True)
        if len(known):
            rows.append((piece, int(known[counts.argmax()]), counts.max() / counts.sum()))
            num_right, num_annotated = num_right + int(counts.max()), num_annotated + int(counts.sum())
        else:
            rows.append((piece, NO_PERSON, 0.0))
    table = pd.DataFrame(rows, columns=["piece", "track_id", "share"])
    return Truth(table, len(boxes), num_annotated, num_right)
