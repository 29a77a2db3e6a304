"""Find leaks: scenes, frames, people and crops that are on more than one side of the split (train, val, test)."""

from collections.abc import Sequence as Rows
from collections.abc import Set
from itertools import combinations

import numpy as np
import pandas as pd

from reidops.datasets.families import family_of
from reidops.mot.splits import split_half
from reidops.parts import Part
from reidops.validation.crop_tables import SIDES
from reidops.validation.near_duplicates import nearest_hashes

LEGIBLE_HEIGHT = 16  # px; lower crops do not show who the person is


def scene_key(dataset: str, scene: str) -> str:
    """Return a name of the video that is equal in all data sets of a family: MOT16-02 and MOT17-02 are one video.

    >>> scene_key("MOT16", "02") == scene_key("MOT17", "02"), scene_key("synthetic", "02") == scene_key("MOT17", "02")
    (True, False)
    """
    return f"{family_of(dataset)} {scene}"


def scenes_table(parts: Rows[Part], file: str) -> pd.DataFrame:
    """Return one row per pair of a train or adapt row and a test or track row of parts.csv with the same video.

    The columns are file, row, sequence, fault, divided and transductive. `fault` describes shared frames, or a split
    elsewhere than at the half. `divided` describes frames with some people in train and others in test (download.split:
    identity), `transductive` scored frames that are used without labels (download.adapt_on_test_frames). All are "" if
    the video is split at its half.
    """
    trains = [(row, part) for row, part in enumerate(parts) if part.is_learnt and part.layout == "mot"]
    scored = [part for part in parts if not part.is_learnt and part.layout == "mot"]
    records = [
        {"file": file, "row": row, "sequence": train.sequence, **_shared(train, other)}
        for row, train in trains
        for other in scored
        if scene_key(train.dataset, train.scene) == scene_key(other.dataset, other.scene)
    ]
    return pd.DataFrame(records, columns=["file", "row", "sequence", "fault", "divided", "transductive"])


def _shared(train: Part, other: Part) -> dict[str, str]:
    """Return `fault`, `divided` and `transductive` of a video that is in both parts."""
    sound = {"fault": "", "divided": "", "transductive": ""}
    first, last = max(train.first_frame, other.first_frame), min(train.last_frame, other.last_frame)
    frames = f"frames {first} … {last} also in {other.part} ({other.sequence})"
    if first <= last and train.divides_people and other.divides_people:
        return sound | {"divided": f"{frames}, with other people"}
    if first <= last and train.is_transductive:
        return sound | {"transductive": f"{frames}, without labels"}
    if first <= last:
        return sound | {"fault": frames}
    half = split_half(other.last_frame)[0]
    if (train.first_frame, train.last_frame) == (half.first, half.last):
        return sound
    frames = f"frames {train.first_frame} … {train.last_frame} are in {train.part}"
    other_frames = f"{other.first_frame} … {other.last_frame} in {other.part} ({other.sequence})"
    return sound | {"fault": f"{frames}, {other_frames}; the half ends at {half.last}"}


def count_videos(scenes: pd.DataFrame, crops: pd.DataFrame) -> dict[str, int]:
    """Return the number of videos that are on two sides intentionally.

    They are split by time, or their people are divided between train and test, or between train and val.
    """
    sound = scenes[(scenes["fault"] == "") & (scenes["transductive"] == "")]
    learnt = crops[crops["track_id"] >= 0].groupby(["dataset", "scene"])["split"].agg(set)
    return {
        "num_halved_videos": sound.loc[sound["divided"] == "", "sequence"].nunique(),
        "num_videos_with_people_in_train_and_test": sound.loc[sound["divided"] != "", "sequence"].nunique(),
        "num_videos_with_people_in_train_and_val": sum({"train", "val"} <= splits for splits in learnt),
    }


def halved_scenes(parts: Rows[Part]) -> set[str]:
    """Return the keys of the videos that are split by time, and of closed sets; their people may be on both sides."""
    timed = [part for part in parts if part.layout == "mot" and not part.divides_people]
    trained, tested = (
        {scene_key(part.dataset, part.scene) for part in timed if part.part == name} for name in ("train", "test")
    )
    return (trained & tested) | {scene_key(part.dataset, part.scene) for part in parts if part.is_closed_set}


def with_frame_leaks(crops: pd.DataFrame, parts: Rows[Part]) -> pd.DataFrame:
    """Add `leak` to crops of train and val: the test or track part with the crop's frame, "" for none.

    Videos with divided people (download.split: identity) are left out; `scenes_table` reports them.
    """
    scored = [part for part in parts if not part.is_learnt and part.layout == "mot" and not part.divides_people]
    learnt = crops["split"].isin(["train", "val"]).to_numpy()
    pairs = crops.groupby(["dataset", "scene"]).indices
    leaks = np.full(len(crops), "", dtype=object)
    for part in scored:
        inside = crops["frame"].between(part.first_frame, part.last_frame).to_numpy()
        for rows in (rows for pair, rows in pairs.items() if scene_key(*pair) == scene_key(part.dataset, part.scene)):
            leaks[rows[(learnt & inside)[rows]]] = f"the frame is scored in {part.part} ({part.sequence})"
    return crops.assign(leak=pd.Series(leaks, index=crops.index, dtype="str"))


def sides_table(people: pd.DataFrame, crops: pd.DataFrame, halved: set[str]) -> pd.DataFrame:
    """Return one row per person: file, row, pid, fault (the two sides of the person if that is a leak, "" for none).

    Args:
        people: `crop_tables.people_table`.
        halved: keys of the videos whose people may be both in train or val and in test.
    """
    grouped = people.groupby("pid", as_index=False)
    sides = grouped.agg(
        file=("file", "first"), row=("row", "first"), sides=("side", lambda found: tuple(sorted(found)))
    )
    pairs = crops[["pid", "dataset", "scene"]].drop_duplicates()
    allowed = set(
        pairs["pid"][[scene_key(*pair) in halved for pair in zip(pairs["dataset"], pairs["scene"], strict=True)]]
    )
    faults = [_side_fault(row.sides, row.pid in allowed) for row in sides.itertuples()]
    return sides.drop(columns="sides").assign(fault=pd.Series(faults, index=sides.index, dtype="str"))


def _side_fault(sides: tuple[str, ...], is_halved: bool) -> str:
    learnt = [side for side in sides if side != "test"]
    if len(learnt) > 1:
        return "in train and in val"
    return f"in {learnt[0]} and in query or gallery" if learnt and "test" in sides and not is_halved else ""


def copies_table(crops: pd.DataFrame, repeated: Set[tuple[str, int]] = frozenset()) -> pd.DataFrame:
    """Return one row per crop of train and val: file, row, copy_fault, repeated_fault.

    `copy_fault` describes a crop with the same bytes on another side, "" for none. Two crops of one MOT video are not
    compared: the video is split intentionally (`scenes_table`) and may show a still scene. Crops below LEGIBLE_HEIGHT
    are left out, because they can be equal by chance. `repeated_fault` instead of `copy_fault` describes the crop of a
    frame that identifies no video.

    Args:
        repeated: `frame_files.repeated_frames`.
    """
    learnt = crops[crops["split"].isin(["train", "val"])]
    known = crops[(crops["digest"] > 0) & (crops["height"] >= LEGIBLE_HEIGHT)]
    known = known.assign(
        place=known.index, rank=known["split"].map(SIDES).map({"train": 0, "val": 1, "test": 2}), video=_videos(known)
    )
    shared = known[known.groupby("digest")["rank"].transform("nunique") > 1]
    pairs = shared.merge(shared.drop_duplicates(["digest", "rank", "video"]), on="digest", suffixes=("", "_twin"))
    is_leak = (pairs["rank"] < pairs["rank_twin"]) & ((pairs["video"] != pairs["video_twin"]) | (pairs["video"] == ""))
    leaks = pairs[is_leak].sort_values("rank_twin", ascending=False, kind="stable").drop_duplicates("place")
    texts = _named(leaks, "") + " has the same bytes as " + _named(leaks, "_twin")
    is_repeated = np.array(
        [frame in repeated for frame in zip(leaks["video"], leaks["frame"], strict=True)], dtype=bool
    )
    faults = {
        column: pd.Series(texts[kept].to_numpy(), index=leaks["place"][kept], dtype="str")
        for column, kept in (("copy_fault", ~is_repeated), ("repeated_fault", is_repeated))
    }
    return learnt[["file", "row"]].assign(
        **{column: texts.reindex(learnt.index, fill_value="") for column, texts in faults.items()}
    )


def _videos(crops: pd.DataFrame) -> list[str]:
    """Return the key of each MOT crop's video, "" for crops of ReID sets."""
    columns = zip(crops["dataset"], crops["scene"], crops["track_id"], strict=True)
    return [scene_key(dataset, scene) if track_id >= 0 else "" for dataset, scene, track_id in columns]


def _named(crops: pd.DataFrame, suffix: str) -> pd.Series:
    """Return "imgs/a.jpg of Market-1501 (query)" for each row; `suffix` is appended to the column names."""
    return crops[f"path{suffix}"] + " of " + crops[f"dataset{suffix}"] + " (" + crops[f"split{suffix}"] + ")"


def near_duplicate_pairs(decoded: pd.DataFrame, crops: pd.DataFrame, max_bits: int) -> pd.DataFrame:
    """Return one row per decoded crop with a near-duplicate on another side.

    The columns are path, side, other_path, other_side and bits; the index is that of `crops`. Each pair of sides is
    searched once: test in val, test in train, val in train.
    """
    hashed = decoded[decoded["decoded_width"] > 0]
    sides = crops.loc[hashed.index, "split"].map(SIDES)
    found = [
        _near(hashed[sides == scoring].assign(side=scoring), hashed[sides == other].assign(side=other), max_bits)
        for scoring, other in combinations(("test", "val", "train"), 2)
    ]
    return pd.concat(found).sort_values(["bits", "path"], kind="stable")


def _near(rows: pd.DataFrame, others: pd.DataFrame, max_bits: int) -> pd.DataFrame:
    nearest, bits = nearest_hashes(rows["dhash"].to_numpy(), others["dhash"].to_numpy())
    close = bits <= max_bits
    twins = others.iloc[nearest[close]]
    return rows.loc[close, ["path", "side"]].assign(
        other_path=twins["path"].to_numpy(), other_side=twins["side"].to_numpy(), bits=bits[close]
    )


def with_twins(decoded: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Add `twin_fault`: the near-duplicate of the decoded crop on another side, "" for none."""
    twins = pairs[~pairs.index.duplicated()]
    texts = [
        f"{pair.path} ({pair.side}) is a near-duplicate of {pair.other_path} ({pair.other_side}): "
        f"{pair.bits} of 64 bits differ"
        for pair in twins.itertuples()
    ]
    fault = pd.Series(texts, index=twins.index, dtype="str").reindex(decoded.index).fillna("")
    return decoded.assign(twin_fault=fault.astype("str"))
