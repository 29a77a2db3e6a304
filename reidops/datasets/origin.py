"""Record the scenes, sequences and people on which the weights of an embedder were trained.

The record is `trained_on` in `embedder.json`. `scenes` has a row per data set (MOT sets: per scene) of this training
and of all earlier ones, those of a teacher included. `unknown_start` names initial weights (also of a teacher) whose
training data are unknown, "" if all are known.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reidops.datasets.families import family_of
from reidops.errors import ReidopsError
from reidops.files import read_json, sha256

RANDOM, PUBLISHED = "random weights", "published weights of timm"
_DESCRIPTION = "embedder.json"

# dataset, scene, sequence, first_frame, last_frame (0 for ReID sets), num_people, people (track_ids; MOT sets only),
# left_out (num_people and file; sets of download.leave_out only). Rows of an adaptation without labels have `adapted`
# true, `transductive` (whether tested or tracked frames were allowed), num_tracklets and num_crops, and no people.
Scene = dict[str, Any]
LeaveOutCounts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Origin:
    """The known training data of weights."""

    started_from: str
    scenes: tuple[Scene, ...] = ()
    unknown_start: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """Return the entries of `trained_on` in embedder.json."""
        return {"started_from": self.started_from, "scenes": list(self.scenes), "unknown_start": self.unknown_start}


def origin_of_start(weights: Path | None, *, pretrained: bool) -> Origin:
    """Return the origin of the initial weights of a training.

    It is read from the embedder.json in the folder of `weights`, if its hash is that of the file.
    """
    if weights is None:
        return Origin(PUBLISHED, unknown_start=PUBLISHED) if pretrained else Origin(RANDOM)
    beside = weights.with_name(_DESCRIPTION)
    description = read_json(beside) if beside.is_file() else {}
    if description.get("weights_sha256") != sha256(weights):
        return Origin(weights.name, unknown_start=weights.name)
    known = read_origin(description.get("trained_on") or {}, weights.name)
    return Origin(weights.name, known.scenes, known.unknown_start)


def read_origin(trained_on: Mapping[str, Any], name: str) -> Origin:
    """Return the origin in the entry `trained_on` of an embedder.json, for weights with the name `name`.

    Files of earlier versions have data sets without scenes; their other facts are unknown.
    """
    if "scenes" in trained_on:
        return Origin(trained_on["started_from"], tuple(trained_on["scenes"]), trained_on["unknown_start"])
    nowhere = {"scene": "", "sequence": "", "first_frame": 0, "last_frame": 0}
    rows = tuple({"dataset": dataset, **nowhere} for dataset in trained_on.get("datasets", ()))
    return Origin(trained_on.get("started_from", name), rows, name)


def with_training(start: Origin, crops: pd.DataFrame, leave_out: LeaveOutCounts | None = None) -> Origin:
    """Return the origin of weights that started at `start` and were trained with the crops of train and val.

    val counts because it chooses the checkpoint.

    Args:
        leave_out: the entry `leave_out` in the report of `convert`: for each set its file and the people by scene.
    """
    learnt = crops[crops["split"].isin(["train", "val"])]
    own = [
        _scene(str(dataset), str(scene), rows) | _left_out((leave_out or {}).get(dataset), str(scene))
        for (dataset, scene), rows in learnt.groupby(["dataset", "scene"])
    ]
    return Origin(start.started_from, (*own, *(row for row in start.scenes if row not in own)), start.unknown_start)


def with_adaptation(start: Origin, crops: pd.DataFrame, *, transductive: bool) -> Origin:
    """Return the origin of weights that started at `start` and were adapted to the tracklets of `crops` without labels.

    Args:
        crops: tables.CROPS of data/tracklets.
        transductive: whether frames that are tested or tracked were allowed.
    """
    own = [
        _adapted(str(dataset), str(scene), rows) | {"transductive": transductive}
        for (dataset, scene), rows in crops.groupby(["dataset", "scene"])
    ]
    return Origin(start.started_from, (*own, *(row for row in start.scenes if row not in own)), start.unknown_start)


def with_teacher(start: Origin, teacher: Origin) -> Origin:
    """Return the origin of weights that started at `start` and also learnt the embeddings of a teacher."""
    learnt = (row for row in teacher.scenes if row not in start.scenes)
    unknown = dict.fromkeys(name for name in (start.unknown_start, teacher.unknown_start) if name)
    return Origin(start.started_from, (*start.scenes, *learnt), " and ".join(unknown))


def _adapted(dataset: str, scene: str, crops: pd.DataFrame) -> Scene:
    frames = crops["frame"]
    return {
        "dataset": dataset,
        "scene": scene,
        "sequence": scene,
        "first_frame": int(frames.min()),
        "last_frame": int(frames.max()),
        "num_people": 0,
        "people": [],
        "num_tracklets": int(crops["tracklet"].nunique()),
        "num_crops": len(crops),
        "adapted": True,
    }


def _scene(dataset: str, scene: str, crops: pd.DataFrame) -> Scene:
    row = {"dataset": dataset, "scene": scene, "num_people": int(crops["pid"].nunique())}
    if (crops["track_id"] < 0).all():
        return row | {"sequence": "", "first_frame": 0, "last_frame": 0}
    sequence = crops["path"].iloc[0].split("/")[-2].rpartition("_")[0]  # imgs/<sequence>_<track_id>/<number>.jpg
    frames, people = crops["frame"], sorted(map(int, crops["track_id"].unique()))
    return row | {
        "sequence": sequence,
        "first_frame": int(frames.min()),
        "last_frame": int(frames.max()),
        "people": people,
    }


def _left_out(counts: Mapping[str, Any] | None, scene: str) -> Scene:
    """Return the entry `left_out` of a scene; {} if no file names people of the set."""
    if counts is None:
        return {}
    return {"left_out": {"num_people": counts["scenes"].get(scene, {"people": 0})["people"], "file": counts["file"]}}


def read_left_out(crops: Path) -> LeaveOutCounts:
    """Return the counts of the people whom download.leave_out names, by data set, from the report of `convert`.

    Args:
        crops: data/crops.
    """
    path = crops / "report.json"
    return read_json(path).get("leave_out", {}) if path.is_file() else {}


def is_same_video(row: Scene, dataset: str, scene: str) -> bool:
    """Return whether a row is about the video of a MOT scene; MOT15, MOT16 and MOT17 share videos."""
    return row["first_frame"] > 0 and (family_of(row["dataset"]), row["scene"]) == (family_of(dataset), scene)


def check_start(start: Origin, crops: pd.DataFrame, *, param: str = "train.weights", name: str | None = None) -> None:
    """Check that initial weights, or those of a teacher, were not trained on people and frames of the test split.

    Args:
        crops: tables.CROPS.
        param: the param that names the weights.
        name: their name in the message; None = that of `start`.

    Raises:
        ReidopsError: they were; the message has the param, the weights, the frames and the scene.
    """
    for row, shared in _tested_frames(start.scenes, crops):
        raise ReidopsError(
            f"{param}: {name or start.started_from} was trained on {_called(row)} (see its {_DESCRIPTION}), and "
            f"{shared:,} query and gallery crops are people of these frames; name other weights in {param}, or test "
            "other scenes (download.sequences, download.split)"
        )


def check_adaptation(origin: Origin, crops: pd.DataFrame) -> None:
    """Check that no frame of the test split is adapted to, unless the adaptation is transductive.

    Args:
        crops: tables.CROPS of data/crops.

    Raises:
        ReidopsError: one is; the message has the frames and the scene.
    """
    for row, shared in _tested_frames([row for row in origin.scenes if row.get("adapted")], crops):
        raise ReidopsError(
            f"data/tracklets has crops of {_called(row)}, and {shared:,} query and gallery crops are of these frames; "
            "adapt to other scenes (download.adapt, download.sequences, download.split)"
        )


def _tested_frames(scenes: Iterable[Scene], crops: pd.DataFrame) -> Iterator[tuple[Scene, int]]:
    """Yield each row of an origin whose people and frames are in the test split, and the number of such crops."""
    tested = crops[crops["split"].isin(["query", "gallery"]) & (crops["track_id"] >= 0)]
    for (dataset, scene), rows in tested.groupby(["dataset", "scene"]):
        for row in scenes:
            if row.get("transductive") or not is_same_video(row, str(dataset), str(scene)):
                continue
            shared = rows["frame"].between(row["first_frame"], row["last_frame"])
            # Other data sets have other numbers for the same people, and an adaptation knows no people.
            if row["dataset"] == dataset and not row.get("adapted"):
                shared &= rows["track_id"].isin(row["people"])
            if shared.any():
                yield row, int(shared.sum())


def check_tracked(origin: Origin, sequence: str, dataset: str, scene: str, frames: tuple[int, int]) -> None:
    """Check that weights were not trained on the tracked (first, last) `frames` of a sequence.

    An adaptation without labels counts as a training, unless it was transductive by a param that says so.

    Raises:
        ReidopsError: they were; the message has the frames and the scene.
    """
    for row in (row for row in origin.scenes if is_same_video(row, dataset, scene) and not row.get("transductive")):
        first, last = max(row["first_frame"], frames[0]), min(row["last_frame"], frames[1])
        if first <= last:
            raise ReidopsError(
                f"frames {first} … {last} of {sequence} are tracked, but the model (started from "
                f"{origin.started_from}) was {'adapted to' if row.get('adapted') else 'trained on'} {_called(row)} "
                f"(see its {_DESCRIPTION}); name other weights in train.weights, or track other sequences "
                "(download.sequences)"
            )


def _called(row: Scene) -> str:
    return f"frames {row['first_frame']} … {row['last_frame']} of {row['sequence']} of {row['dataset']}"
