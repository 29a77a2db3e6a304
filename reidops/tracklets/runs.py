"""The tracklets of ReID sets: runs of one person in one camera, by the frame numbers of the crops.

A set with published tracklets keeps them; their frame numbers do not state which of them were seen at the same time. A
set without frame numbers has tracklets of one crop. The people are written to the truth table only.
"""

import re
from collections.abc import Sequence as Rows

import numpy as np
import pandas as pd

from reidops.datasets.leave_out import LeaveOut, people_names
from reidops.datasets.sets import LAYOUTS
from reidops.parts import Part

_SHOT = re.compile(r"_c\d+s(\d+)_")  # Market-1501 counts the frames of each recording of a camera from 0
_BETWEEN = 1000  # frames between two recordings of a camera


def cut_runs(part: Part, run_gap: int, number: int, leave_out: Rows[LeaveOut] = ()) -> pd.DataFrame:
    """Return the crops of a ReID set's tracklets: file, member, camera, frame, piece, length and published_pid.

    `length` is the number of crops of the piece before `number` of them are chosen, spread in time. Pieces are numbered
    in the order of camera and frame. Frames of several recordings of a camera follow one another.

    Args:
        run_gap: largest distance of two consecutive crops of a piece, frames.
        number: most crops of a piece.
        leave_out: people who are not used.
    """
    crops, _ = LAYOUTS[part.layout].list_part(part.folder, "train", part.protocol)
    crops = _without_named(crops[~crops["distractor"]].assign(layout=part.layout), part.dataset, leave_out)
    crops = crops.assign(shot=_shots(crops["name"]), place=np.arange(len(crops)))
    ordered = crops.sort_values(["camera", "published_pid", "tracklet", "shot", "frame", "place"], kind="stable")
    run = _runs(ordered, run_gap)
    timed = ordered.assign(run=run, frame=_frames(ordered))
    first = timed.groupby("run")[["camera", "frame", "place"]].min().sort_values(["camera", "frame", "place"])
    piece = pd.Series(np.arange(len(first)), index=first.index)
    timed = timed.assign(piece=timed["run"].map(piece)).sort_values(["piece", "frame", "place"], kind="stable")
    length = timed.groupby("piece")["frame"].transform("size")
    place = timed.groupby("piece").cumcount()
    span = place * np.minimum(length, number) // length
    chosen = timed.assign(length=length, span=span).drop_duplicates(["piece", "span"])
    columns = ["file", "member", "camera", "frame", "piece", "length", "published_pid"]
    return chosen[columns].reset_index(drop=True)


def _without_named(crops: pd.DataFrame, dataset: str, leave_out: Rows[LeaveOut]) -> pd.DataFrame:
    people = {person for named in leave_out if named.dataset == dataset for person in named.people}
    return crops[~people_names(crops).isin(people)] if people else crops


def _shots(names: pd.Series) -> pd.Series:
    return names.str.extract(_SHOT, expand=False).fillna("0").astype(int)


def _runs(crops: pd.DataFrame, run_gap: int) -> np.ndarray:
    """Return the number of the run of each crop, ordered by camera, person, recording and frame; int64 [n]."""
    keys = crops[["camera", "published_pid", "tracklet", "shot"]]
    other = (keys != keys.shift()).any(axis=1).to_numpy()
    step = crops["frame"].diff().fillna(0).to_numpy()
    is_timed = (crops["frame"] > 0).any()
    is_apart = (step > run_gap) | (not is_timed)
    is_apart &= (crops["tracklet"] < 0).to_numpy()
    return np.cumsum(other | is_apart)


def _frames(crops: pd.DataFrame) -> np.ndarray:
    """Return the frame of each crop from 1 on, unique in time within its camera; int64 [n].

    The recordings of a camera follow one another. Published tracklets and crops without frame numbers do too.
    """
    frames = np.zeros(len(crops), int)
    is_timed = (crops["frame"] > 0).any() and (crops["tracklet"] < 0).all()
    for rows in crops.groupby("camera").indices.values():
        own = crops.iloc[rows]
        if not is_timed:
            frames[rows] = np.arange(1, len(rows) + 1)
            continue
        ends = own.groupby("shot")["frame"].max() + _BETWEEN
        frames[rows] = own["frame"] + own["shot"].map(ends.cumsum().shift(fill_value=1))
    return frames
