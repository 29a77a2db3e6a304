"""Who and what stands on both sides of a split: scenes, frames, people, near-duplicate crops."""

from collections.abc import Sequence as Rows
from itertools import combinations

import numpy as np
import pandas as pd

from reidops.datasets.families import family_of
from reidops.mot.splits import split_half
from reidops.parts import Part
from reidops.validation.crop_tables import SIDES
from reidops.validation.near_duplicates import nearest_hashes

LEGIBLE_HEIGHT = 16  # px; of fewer rows no network and no person can tell who it is


def scene_key(dataset: str, scene: str) -> str:
    """Return the name of a video over all data sets: MOT16-02 and MOT17-02 are one, SYN-02 is another.

    >>> scene_key("MOT16", "02") == scene_key("MOT17", "02"), scene_key("synthetic", "02") == scene_key("MOT17", "02")
    (True, False)
    """
    return f"{family_of(dataset)} {scene}"


def scenes_table(parts: Rows[Part], file: str) -> pd.DataFrame:
    """Return one row per train row of parts.csv that shares its video with a test or track row: file, row, sequence,
    fault, divided.

    `fault` tells shared frames or a cut elsewhere than at the half, `divided` that the people of the frames are divided
    (download.split: identity); both are "" where the video is split by time (`half`).
    """
    trains = [(row, part) for row, part in enumerate(parts) if part.part == "train" and part.layout == "mot"]
    scored = [part for part in parts if part.part != "train" and part.layout == "mot"]
    records = [
        {"file": file, "row": row, "sequence": train.sequence, **_shared(train, other)}
        for row, train in trains
        for other in scored
        if scene_key(train.dataset, train.scene) == scene_key(other.dataset, other.scene)
    ]
    return pd.DataFrame(records, columns=["file", "row", "sequence", "fault", "divided"])


def _shared(train: Part, other: Part) -> dict[str, str]:
    """Return `fault` and `divided` of a video that both parts use."""
    first, last = max(train.first_frame, other.first_frame), min(train.last_frame, other.last_frame)
    frames = f"frames {first} … {last} also in {other.part} ({other.sequence})"
    if first <= last and train.divides_people and other.divides_people:
        return {"fault": "", "divided": f"{frames}, with other people"}
    if first <= last:
        return {"fault": frames, "divided": ""}
    half = split_half(other.last_frame)[0]
    if (train.first_frame, train.last_frame) == (half.first, half.last):
        return {"fault": "", "divided": ""}
    told = (
        f"frames {train.first_frame} … {train.last_frame} train, {other.first_frame} … {other.last_frame} are in "
        f"{other.part}"
    )
    return {"fault": f"{told} ({other.sequence}); the half ends at {half.last}", "divided": ""}


def count_videos(scenes: pd.DataFrame, crops: pd.DataFrame) -> dict[str, int]:
    """Return how many videos stand on two sides by intention: split by time, or by people between train and test, or
    train and val.
    """
    sound = scenes[scenes["fault"] == ""]
    learnt = crops[crops["track_id"] >= 0].groupby(["dataset", "scene"])["split"].agg(set)
    return {
        "num_halved_videos": sound.loc[sound["divided"] == "", "sequence"].nunique(),
        "num_videos_with_people_in_train_and_test": sound.loc[sound["divided"] != "", "sequence"].nunique(),
        "num_videos_with_people_in_train_and_val": sum({"train", "val"} <= splits for splits in learnt),
    }


def halved_scenes(parts: Rows[Part]) -> set[str]:
    """Return the keys of the videos of which some frames train and others are tested: people may stand on both sides
    there.
    """
    timed = [part for part in parts if part.layout == "mot" and not part.divides_people]
    trained, tested = (
        {scene_key(part.dataset, part.scene) for part in timed if part.part == name} for name in ("train", "test")
    )
    return trained & tested


def with_frame_leaks(crops: pd.DataFrame, parts: Rows[Part]) -> pd.DataFrame:
    """Add `leak` to crops of train and val: the test or track part that scores the very frame they were cut from, ""
    for none.

    Frames whose people are divided (download.split: identity) are told for each video by `scenes_table`.
    """
    scored = [part for part in parts if part.part != "train" and part.layout == "mot" and not part.divides_people]
    learnt = crops["split"].isin(["train", "val"]).to_numpy()
    pairs = crops.groupby(["dataset", "scene"]).indices
    leaks = np.full(len(crops), "", dtype=object)
    for part in scored:
        inside = crops["frame"].between(part.first_frame, part.last_frame).to_numpy()
        for rows in (rows for pair, rows in pairs.items() if scene_key(*pair) == scene_key(part.dataset, part.scene)):
            leaks[rows[(learnt & inside)[rows]]] = f"the frame is scored in {part.part} ({part.sequence})"
    return crops.assign(leak=pd.Series(leaks, index=crops.index, dtype="str"))


def sides_table(people: pd.DataFrame, crops: pd.DataFrame, halved: set[str]) -> pd.DataFrame:
    """Return one row per person: file, row, pid, fault: on which two sides the person stands where that is a leak, ""
    for none.

    Args:
        people: `crop_tables.people_table`.
        halved: the videos whose people may stand both in train or val and in the test.
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


def copies_table(crops: pd.DataFrame) -> pd.DataFrame:
    """Return one row per crop of train and val: file, row, copy_fault: the crop of another side that has the very same
    bytes, "" for none.

    Left out are crops of one MOT video, which is split by intention (`scenes_table`) and may stand still, and crops too
    low to show anybody, which can be equal by chance.
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
    told = _named(leaks, "") + " has the same bytes as " + _named(leaks, "_twin")
    faults = pd.Series(told.to_numpy(), index=leaks["place"], dtype="str").reindex(learnt.index, fill_value="")
    return learnt[["file", "row"]].assign(copy_fault=faults)


def _videos(crops: pd.DataFrame) -> list[str]:
    """Return the key of each MOT crop's video, "" for crops of ReID sets."""
    columns = zip(crops["dataset"], crops["scene"], crops["track_id"], strict=True)
    return [scene_key(dataset, scene) if track_id >= 0 else "" for dataset, scene, track_id in columns]


def _named(crops: pd.DataFrame, suffix: str) -> pd.Series:
    """Return "imgs/a.jpg of Market-1501 (query)" of each row; `suffix` ends the names of the columns."""
    return crops[f"path{suffix}"] + " of " + crops[f"dataset{suffix}"] + " (" + crops[f"split{suffix}"] + ")"


def near_duplicate_pairs(decoded: pd.DataFrame, crops: pd.DataFrame, max_bits: int) -> pd.DataFrame:
    """Return one row per decoded crop that has a near-duplicate on another side: path, side, other_path, other_side,
    bits.

    Each pair of sides is searched once, from the one that scores (test before val before train); the index is that of
    `crops`.
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
    """Add `twin_fault`: the near-duplicate that a decoded crop has on another side, "" for none."""
    twins = pairs[~pairs.index.duplicated()]
    told = [
        f"{pair.path} ({pair.side}) looks like {pair.other_path} ({pair.other_side}), {pair.bits} of 64 bits apart"
        for pair in twins.itertuples()
    ]
    fault = pd.Series(told, index=twins.index, dtype="str").reindex(decoded.index).fillna("")
    return decoded.assign(twin_fault=fault.astype("str"))
