"""Choose the boxes of a sequence that become crops, with the same pixels as mot2reid.

mot2reid takes left, top, left + width and top + height of the file (1-based, not shifted), truncates them towards zero
and clips them to [0, W − 1] and [0, H − 1]; the end pixel is included.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.mot.box_units import check_boxes
from reidops.mot.classes import check_classes
from reidops.mot.frame_files import has_pictures
from reidops.mot.sequences import Sequence, read_annotations

ANOTHER_CLASS, NOT_CONSIDERED = "another class", "not considered"
BELOW_VISIBILITY, OUTSIDE = "visibility below vis_threshold", "wholly outside the frame"
TOO_SMALL, STRIDE = "smaller than min_width × min_height", "frames between the stride"


@dataclass(frozen=True)
class BoxRules:
    """Rules for the boxes that become crops.

    mot2reid has only `classes` (1) and `vis_threshold`; it ignores the flag and has no minimum size.
    """

    classes: tuple[int, ...] = (1,)
    vis_threshold: float = 0.3
    considered_only: bool = True
    min_width: int = 1
    min_height: int = 1
    stride: int = 1


def choose_boxes(sequence: Sequence, rules: BoxRules) -> tuple[pd.DataFrame, Counter]:
    """Return the boxes of a sequence that become crops, and the numbers of all boxes and of those each rule left out.

    The table has one row per crop in the order of gt.txt: `frame` (1-based), `track_id`, `person` (mot2reid's folder
    name), `path` (in crops.tar), `visibility`, and the pixels `x1`, `y1`, `x2`, `y2` (0-based, both ends inclusive).

    `path` numbers a person's crops in the order of gt.txt over every box that mot2reid would cut, so that the names do
    not depend on the minimum size and the stride. Two boxes of a person in one frame become two crops, as in mot2reid;
    `validate` reports them as an error.

    Raises:
        ReidopsError: gt.txt cannot be read, a box that becomes a crop has a visibility above 1, or all have one id.
    """
    annotations = read_annotations(sequence)
    path = sequence.folder / "gt" / "gt.txt"
    check_classes(annotations["class_id"].to_numpy(), path, rules.classes)
    check_boxes(annotations, sequence.width, sequence.height, str(path))
    boxes = annotations.join(_pixels(annotations, sequence))
    unlike_mot2reid, more = _broken_rules(boxes, rules), _broken_further_rules(boxes, rules, sequence)
    broken = unlike_mot2reid | more
    reason = pd.Series(np.select(list(broken.values()), list(broken), default=""), index=boxes.index)
    _check_boxes(boxes[reason == ""], sequence)
    named = _name(boxes[~np.any(list(unlike_mot2reid.values()), axis=0)], sequence.name)
    chosen = named.loc[
        reason[named.index] == "", ["frame", "track_id", "person", "path", "visibility", "x1", "y1", "x2", "y2"]
    ]
    return chosen.reset_index(drop=True), Counter({"boxes": len(boxes)}) + Counter(reason[reason != ""])


def check_frames(sequence: Sequence, first: int, last: int) -> None:
    """Check that the frames `first` … `last` of a sequence exist.

    Images past seqLength are not used; `validate` reports them. Those of a video are not checked.

    Raises:
        ReidopsError: a frame is missing; the message names the first one.
    """
    if sequence.is_video and sequence.frames_dir.is_file():
        return
    present = {path.name for path in sequence.frames_dir.iterdir()} if sequence.frames_dir.is_dir() else set()
    missing = [n for n in range(first, last + 1) if sequence.frame_path(n).name not in present]
    if missing:
        raise ReidopsError(
            f"{sequence.frame_path(missing[0])}: the frame is missing ({len(missing)} of {last - first + 1} are);"
            f" seqinfo.ini states seqLength={sequence.length}, imDir={sequence.frames_dir.name}{_folders(sequence)}; "
            f"unpack the data set again, or correct seqinfo.ini"
        )


def _folders(sequence: Sequence) -> str:
    """Return a note on the folders of a sequence with images, "" if the folder in imDir has images."""
    if sequence.files is not None or not sequence.folder.is_dir():
        return ""
    there = [path.name for path in sorted(sequence.folder.iterdir()) if path.is_dir() and has_pictures(path)]
    return f", and there are pictures in {', '.join(there)} (imDir={there[0]})" if there else ""


def _check_boxes(boxes: pd.DataFrame, sequence: Sequence) -> None:
    path = sequence.folder / "gt" / "gt.txt"
    wrong = boxes[boxes["visibility"] > 1]
    if len(wrong):
        first = wrong.iloc[0]
        raise ReidopsError(
            f"{path}: in frame {first['frame']} id {first['track_id']} has visibility {first['visibility']:g}; "
            f"expected 0 … 1 ({len(wrong)} such lines); correct them, or if the 9th field is not the visibility, set "
            f"download.formats: {{{path.parents[3].name if len(path.parents) > 3 else 'SET'}: 'frame,id,left,top,width,"
            f"height,considered,class,-'}}"
        )
    if boxes["track_id"].nunique() == 1 and len(boxes) >= 2 * boxes["frame"].nunique():
        raise ReidopsError(
            f"{path}: all {len(boxes):,} boxes have the id {boxes['track_id'].iloc[0]}, several in one frame; these "
            f"are detections without identities. ReID needs the id of each person; use other annotations, or name the "
            f"column of the id in download.formats"
        )


def _broken_rules(boxes: pd.DataFrame, rules: BoxRules) -> dict[str, pd.Series]:
    """Return the boxes that each rule leaves out; mot2reid has these rules, too, except for the flag."""
    return {
        ANOTHER_CLASS: ~boxes["class_id"].isin(rules.classes),
        NOT_CONSIDERED: ~boxes["considered"] & rules.considered_only,
        BELOW_VISIBILITY: boxes["visibility"] < rules.vis_threshold,
    }


def _broken_further_rules(boxes: pd.DataFrame, rules: BoxRules, sequence: Sequence) -> dict[str, pd.Series]:
    """Return the boxes that each rule leaves out; mot2reid does not have these rules."""
    width, height = boxes["x2"] - boxes["x1"] + 1, boxes["y2"] - boxes["y1"] + 1
    return {
        OUTSIDE: ~_touches_frame(boxes, sequence),
        TOO_SMALL: (width < rules.min_width) | (height < rules.min_height),
        STRIDE: (boxes["frame"] - 1) % rules.stride != 0,
    }


def _name(boxes: pd.DataFrame, sequence: str) -> pd.DataFrame:
    person = sequence + "_" + boxes["track_id"].map("{:06d}".format).astype("str")
    count = boxes.groupby("track_id").cumcount().map("{:06d}".format).astype("str")
    return boxes.assign(person=person, path="imgs/" + person + "/" + count + ".jpg")


def _pixels(boxes: pd.DataFrame, sequence: Sequence) -> pd.DataFrame:
    """Return x1, y1, x2, y2, whole px, both ends inclusive."""
    # The reader subtracted 1. Rounding removes the error of this subtraction, so that the sum is that of the file.
    left, top = (boxes["left"] + 1).round(6), (boxes["top"] + 1).round(6)
    edges = np.stack([left, top, left + boxes["width"], top + boxes["height"]], axis=1)
    most = np.array([sequence.width, sequence.height, sequence.width, sequence.height]) - 1
    pixels = np.clip(np.trunc(edges), 0, most).astype(int)
    return pd.DataFrame(pixels, index=boxes.index, columns=["x1", "y1", "x2", "y2"])


def _touches_frame(boxes: pd.DataFrame, sequence: Sequence) -> pd.Series:
    """Return which boxes overlap the frame; mot2reid writes a one-pixel strip of the border for the others."""
    inside_x = (boxes["left"] < sequence.width) & (boxes["left"] + boxes["width"] > 0)
    inside_y = (boxes["top"] < sequence.height) & (boxes["top"] + boxes["height"] > 0)
    return inside_x & inside_y
