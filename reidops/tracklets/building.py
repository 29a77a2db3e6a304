"""Build the tables and the crops of all tracklets from the parts that are used without labels."""

from collections.abc import Sequence as Rows
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from reidops.datasets.leave_out import LeaveOut
from reidops.datasets.packing import CropSource, CutRules, pack_crops
from reidops.errors import ReidopsError
from reidops.mot.sequences import Sequence, read_sequence
from reidops.parallel import map_parallel
from reidops.parts import Part
from reidops.tables import CROPS, TRACKLET_TRUTH, TRACKLETS, check_table
from reidops.tracklets.footage import Cut, cut_footage
from reidops.tracklets.joining import BOX
from reidops.tracklets.rules import Rules
from reidops.tracklets.runs import cut_runs


@dataclass(frozen=True)
class Built:
    """The tracklets of all parts.

    Attributes:
        tracklets: tables.TRACKLETS.
        crops: tables.CROPS without offset, size, width and height, and the sources of the pictures.
        truth: tables.TRACKLET_TRUTH of the tracklets of parts with ground truth.
        cuts: what was cut from each sequence; ReID sets have none.
    """

    tracklets: pd.DataFrame
    crops: pd.DataFrame
    sources: list[CropSource]
    truth: pd.DataFrame
    cuts: tuple[Cut, ...]


def build_tracklets(
    parts: Rows[Part], detections: Path, rules: Rules, leave_out: Rows[LeaveOut] = (), *, workers: int | None = None
) -> Built:
    """Return the tracklets of all parts; the result does not depend on the number of processes.

    Args:
        detections: data/detections/adapt.

    Raises:
        ReidopsError: a sequence cannot be read, or people are to be left out of a sequence without labels.
    """
    _check_left_out(parts, leave_out)
    filmed = [part for part in parts if part.layout == "mot"]
    cut = partial(cut_footage, detections=detections, joining=rules.joining, choosing=rules.choosing)
    cuts = map_parallel(cut, filmed, workers, desc="cut tracklets")
    tables = [_of_footage(one) for one in cuts]
    tables += [_of_runs(part, rules, leave_out) for part in parts if part.layout != "mot"]
    return _join(tables, tuple(cuts))


def pack_tracklets(built: Built, tar: Path, rules: Rules, *, workers: int | None = None) -> pd.DataFrame:
    """Write the crops to `tar` and return their table (tables.CROPS).

    Raises:
        ReidopsError: a picture cannot be read, or the disk is full.
    """
    packed = pack_crops(built.sources, tar, CutRules(rules.jpeg_quality), workers=workers)
    table = built.crops.assign(offset=packed[:, 0], size=packed[:, 1], width=packed[:, 2], height=packed[:, 3])
    return check_table(table[list(CROPS.columns)], CROPS, str(tar))


@dataclass(frozen=True)
class _Table:
    """The crops of one part: dataset, scene, camera, frame, piece, visibility, source; and of each piece its span.

    `pieces` has piece, camera, first_frame, last_frame, num_boxes; `truth` has piece, person and share.
    """

    part: Part
    crops: pd.DataFrame
    pieces: pd.DataFrame
    truth: pd.DataFrame


def _of_footage(cut: Cut) -> _Table:
    sequence = read_sequence(cut.part.folder)
    crops = cut.crops.assign(camera=0, visibility=cut.crops["visible"].clip(0, 1), source=_sources(sequence, cut.crops))
    pieces = cut.boxes.groupby("piece", as_index=False).agg(
        first_frame=("frame", "min"), last_frame=("frame", "max"), num_boxes=("frame", "size")
    )
    known = pd.DataFrame(columns=["piece", "track_id", "share"]) if cut.truth is None else cut.truth.table
    truth = known.rename(columns={"track_id": "person"})
    return _Table(cut.part, crops[_CROP], pieces.assign(camera=0), truth)


def _of_runs(part: Part, rules: Rules, leave_out: Rows[LeaveOut]) -> _Table:
    runs = cut_runs(part, rules.run_gap, rules.choosing.number, leave_out)
    sources = [CropSource("", file, member=member) for file, member in zip(runs["file"], runs["member"], strict=True)]
    pieces = runs.groupby("piece", as_index=False).agg(
        camera=("camera", "first"),
        first_frame=("frame", "min"),
        last_frame=("frame", "max"),
        num_boxes=("length", "first"),
    )
    truth = runs.groupby("piece", as_index=False)["published_pid"].first().rename(columns={"published_pid": "person"})
    return _Table(part, runs.assign(visibility=1.0, source=sources)[_CROP], pieces, truth.assign(share=1.0))


_CROP = ["piece", "camera", "frame", "visibility", "source"]


def _sources(sequence: Sequence, crops: pd.DataFrame) -> list[CropSource]:
    """Return the pixels of each box in its frame; the order is that of the rows."""
    box_ltwh = crops[BOX].to_numpy()
    size = np.array([sequence.width, sequence.height] * 2)
    edges = np.clip(np.hstack([box_ltwh[:, :2], box_ltwh[:, :2] + box_ltwh[:, 2:]]), 0, size)
    pixels = np.round(edges).astype(int) - [0, 0, 1, 1]
    frame_size = (sequence.width, sequence.height)
    boxes = zip(crops["frame"], pixels.tolist(), strict=True)
    return [_source(sequence, int(frame), tuple(box), frame_size) for frame, box in boxes]


def _source(sequence: Sequence, frame: int, box: tuple[int, int, int, int], frame_size: tuple[int, int]) -> CropSource:
    if sequence.is_video:
        return CropSource("", str(sequence.frames_dir), box, frame_size, frame=frame)
    return CropSource("", str(sequence.frame_path(frame)), box, frame_size)


def _join(tables: list[_Table], cuts: tuple[Cut, ...]) -> Built:
    """Number tracklets, cameras and people over all parts, and return the tables."""
    crops, pieces, truth = (
        pd.concat(
            [getattr(table, name).assign(dataset=table.part.dataset, scene=table.part.scene) for table in tables],
            ignore_index=True,
        )
        for name in ("crops", "pieces", "truth")
    )
    crops, pieces = crops.astype({"piece": int}), pieces.astype({"piece": int})  # tables without rows have no type
    truth = truth.astype({"piece": int, "person": int, "share": float})
    key = ["dataset", "scene", "piece"]
    pieces = pieces.sort_values(key, kind="stable").reset_index(drop=True)
    pieces = pieces.assign(
        tracklet=np.arange(len(pieces)), camid=pieces.groupby(["dataset", "scene", "camera"]).ngroup()
    )
    crops = crops.merge(pieces[[*key, "tracklet", "camid"]], on=key)
    truth = truth.merge(pieces[[*key, "tracklet"]], on=key)
    known = truth["person"] >= 0
    pid = truth[known].groupby(["dataset", "scene", "person"]).ngroup()
    truth = truth.assign(pid=pid.reindex(truth.index, fill_value=-1)).sort_values("tracklet", kind="stable")
    crops, sources = _ordered(crops)
    return Built(
        check_table(pieces[list(TRACKLETS.columns)], TRACKLETS, "tracklets"),
        crops,
        sources,
        check_table(truth[list(TRACKLET_TRUTH.columns)], TRACKLET_TRUTH, "truth"),
        cuts,
    )


def _ordered(crops: pd.DataFrame) -> tuple[pd.DataFrame, list[CropSource]]:
    """Return crops and sources in packing order: the crops of a file together, those of a video by frame."""
    sources = crops["source"].tolist()
    order = sorted(
        range(len(sources)),
        key=lambda row: (crops["camid"].iloc[row], sources[row].file, sources[row].frame, crops["tracklet"].iloc[row]),
    )
    crops = crops.iloc[order].reset_index(drop=True)
    place = crops.groupby("tracklet").cumcount()
    paths = [
        f"adapt/{tracklet:06d}/{number:04d}.jpg" for tracklet, number in zip(crops["tracklet"], place, strict=True)
    ]
    named = [
        CropSource(
            path, sources[row].file, sources[row].box, sources[row].frame_size, sources[row].member, sources[row].frame
        )
        for path, row in zip(paths, order, strict=True)
    ]
    table = crops.assign(path=paths, pid=-1, track_id=-1, split="adapt").drop(columns="source")
    return table, named


def _check_left_out(parts: Rows[Part], leave_out: Rows[LeaveOut]) -> None:
    filmed = {part.dataset for part in parts if part.layout == "mot"}
    for named in leave_out:
        if named.dataset in filmed:
            raise ReidopsError(
                f"download.leave_out: {named.file} names people of {named.dataset}, which is in download.adapt; people "
                f"cannot be left out of frames without labels: remove {named.dataset} from one of the two"
            )
