"""The tracklets of the frames of one sequence."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from reidops.mot.frame_times import read_times
from reidops.mot.sequences import read_detection_file, read_sequence
from reidops.parts import Part
from reidops.tracklets.choosing import choose_crops
from reidops.tracklets.joining import join_detections
from reidops.tracklets.measuring import measure_frames
from reidops.tracklets.overlaps import with_overlaps
from reidops.tracklets.rules import CropRules, JoinRules
from reidops.tracklets.splitting import split_tracks
from reidops.tracklets.truth import Truth, has_truth, match_truth


@dataclass(frozen=True)
class Cut:
    """What was cut from one part.

    Attributes:
        boxes: all boxes of its tracklets: frame, left, top, width, height, piece, visible, sharpness.
        crops: the boxes that become crops.
        truth: their people; None without ground truth.
        splits: number of splits by reason.
        num_short: pieces below the least length.
        num_cuts: camera cuts.
        last_frame: last frame that was read.
        num_detections: detections in these frames.
    """

    part: Part
    boxes: pd.DataFrame
    crops: pd.DataFrame
    truth: Truth | None
    splits: Counter
    num_short: int
    num_cuts: int
    last_frame: int
    num_detections: int


def cut_footage(part: Part, detections: Path, joining: JoinRules, choosing: CropRules) -> Cut:
    """Return the tracklets of a part and their chosen crops.

    Tracklets of which no crop is good enough are left out.

    Args:
        detections: data/detections/adapt.

    Raises:
        ReidopsError: the detections are missing, or frames cannot be read.
    """
    sequence = read_sequence(part.folder)
    found = read_detection_file(detections / f"{part.sequence}.txt", sequence.length)
    found = found[found["frame"].between(part.first_frame, part.last_frame)]
    joined = with_overlaps(join_detections(found, joining, part.frames()), sequence.width, sequence.height)
    measured = measure_frames(sequence, part.frames(), joined)
    joined = joined.assign(sharpness=measured.sharpness)[joined["frame"] <= measured.last_frame]
    cuts = measured.cuts(joining.cut_threshold)
    split = split_tracks(joined, read_times(sequence), cuts, joining)
    crops = choose_crops(split.boxes, choosing)
    boxes, crops = _shown(split.boxes, crops)
    return Cut(
        part=part,
        boxes=boxes,
        crops=crops,
        truth=match_truth(sequence, boxes) if has_truth(sequence) else None,
        splits=split.reasons,
        num_short=split.num_short,
        num_cuts=len(cuts),
        last_frame=measured.last_frame,
        num_detections=len(found),
    )


def _shown(boxes: pd.DataFrame, crops: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the boxes and crops of the pieces that have a crop, numbered 0 … n − 1 again."""
    number = {piece: place for place, piece in enumerate(sorted(crops["piece"].unique()))}
    kept = boxes[boxes["piece"].isin(number)].reset_index(drop=True)
    return kept.assign(piece=kept["piece"].map(number)), crops.assign(piece=crops["piece"].map(number))
