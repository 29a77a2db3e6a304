"""From parts to a plan: one row per crop to be, with its person, camera and split. Nothing is decoded here."""

import zlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pandas as pd

from reidops.datasets import market1501
from reidops.datasets.packing import CropSource
from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules, check_frames, choose_boxes
from reidops.mot.sequences import Sequence, read_sequence
from reidops.mot.splits import split_by_name, split_identities, split_query_gallery, thin
from reidops.parts import Part

NO_BOX = -1
_TOTALS = ("boxes", "crops")  # what there was to begin with


@dataclass(frozen=True)
class SplitRules:
    """How the chosen crops are divided; `min_per_person` and `max_per_person` count crops of MOT sets only."""

    val_split: float = 0.2
    val_by: str = "identity"
    min_per_person: int = 8
    max_per_person: int = 1000
    gap: int = 25
    queries_per_person: int = 4
    test_vis_threshold: float | None = None
    seed: int = 0


@dataclass
class Taken:
    """What was left out and why: boxes and crops per sequence (or ReID set), people per reason."""

    boxes: dict[str, Counter] = field(default_factory=dict)
    people: Counter = field(default_factory=Counter)


def plan_crops(parts: list[Part], box_rules: BoxRules, split_rules: SplitRules) -> tuple[pd.DataFrame, Taken]:
    """Return one row per crop, in the order in which they are packed, and what was left out.

    Columns are those of tables.CROPS but for the bytes (`offset`, `size`), and `person` (folder name), `file`, `x1` … `y2`
    (the pixels, −1 = the file as it is), `frame_width`, `frame_height`.

    Raises:
        ReidopsError: a split is empty, or there are too few people to learn to tell apart.
    """
    taken = Taken()
    chosen = pd.concat(_candidates(parts, box_rules, split_rules, taken), ignore_index=True)
    train = _split_train(chosen[chosen["part"] == "train"], split_rules, taken)
    test = _split_test(chosen[chosen["part"] == "test"], split_rules, taken)
    check_splits(train, test, taken)
    planned = chosen.loc[train.index.union(test.index)].assign(split=pd.concat([train["split"], test["split"]]))
    return _number(planned).reset_index(drop=True), taken


def crop_sources(plan: pd.DataFrame) -> list[CropSource]:
    """Return what is to be packed, row by row."""
    columns = ["path", "file", "x1", "y1", "x2", "y2", "frame_width", "frame_height"]
    rows = plan[columns].itertuples(index=False, name=None)
    return [CropSource(path, file) if x1 == NO_BOX else CropSource(path, file, (x1, y1, x2, y2), (width, height))
            for path, file, x1, y1, x2, y2, width, height in rows]  # fmt: skip


def check_splits(train: pd.DataFrame, test: pd.DataFrame, taken: Taken) -> None:
    """Refuse splits from which nothing can be learnt or measured.

    Raises:
        ReidopsError: says which rule took how many.
    """
    num_people = train.loc[train["split"] == "train", "person"].nunique()
    if num_people < 2:
        who = "nobody is" if num_people == 0 else "one person only is"
        raise ReidopsError(
            f"convert: {who} left to train, telling people apart takes two; left out: {_told(taken)};"
            " lower convert.min_per_person or vis_threshold, or name more sets in download.train"
        )
    for role, other in (("query", "gallery"), ("gallery", "query")):
        if len(test) and not (test["split"] == role).any():
            raise ReidopsError(
                f"convert: the test part has a {other} and no {role} crop; left out: {_told(taken)}; a person needs crops at"
                " least convert.gap frames apart: lower gap or vis_threshold, or name more sequences in download.test"
            )


def _candidates(parts: list[Part], box_rules: BoxRules, split_rules: SplitRules, taken: Taken) -> list[pd.DataFrame]:
    wanted = [part for part in parts if part.part in ("train", "test")]
    if not wanted:
        raise ReidopsError("parts.csv: no row is of the part train or test; name sets in download.train and download.test")
    wanted.sort(key=lambda part: (part.layout, part.dataset, part.sequence, str(part.folder)))
    tables = []
    for (layout, _), group in groupby(wanted, key=lambda part: (part.layout, part.folder)):
        if layout == "mot":
            tables.append(_mot_candidates(list(group), box_rules, split_rules, taken))
        else:
            tables.extend(_market_candidates(part, taken) for part in group)
    return tables


def _mot_candidates(parts: list[Part], box_rules: BoxRules, split_rules: SplitRules, taken: Taken) -> pd.DataFrame:
    """Return the crops of one sequence, in the order of its frames; `parts` are that sequence's rows."""
    sequence = read_sequence(parts[0].folder)
    boxes, reasons = choose_boxes(sequence, _loosest(parts, box_rules, split_rules))
    part = pd.Series("", index=boxes.index, dtype="str")
    for row in parts:
        check_frames(sequence, row.first_frame, row.last_frame)
        part[boxes["frame"].between(row.first_frame, row.last_frame)] = row.part
    visible = boxes["visibility"] >= part.map(_vis_thresholds(box_rules, split_rules)).astype(float).fillna(0.0)
    reasons["visibility below vis_threshold"] += int((~visible).sum())
    reasons["frames of no part"] = int(((part == "") & visible).sum())
    taken.boxes[sequence.name] = reasons
    boxes = boxes.assign(part=part)[visible & (part != "")].sort_values("frame", kind="stable")
    return _with_frames(boxes, sequence).assign(dataset=parts[0].dataset, scene=parts[0].scene, camera=0, layout="mot", role="")


def _loosest(parts: list[Part], box_rules: BoxRules, split_rules: SplitRules) -> BoxRules:
    """Return the rules with the lowest visibility that any of the parts asks for, so that names are counted once."""
    thresholds = _vis_thresholds(box_rules, split_rules)
    return BoxRules(**{**vars(box_rules), "vis_threshold": min(thresholds[part.part] for part in parts)})


def _vis_thresholds(box_rules: BoxRules, split_rules: SplitRules) -> dict[str, float]:
    test = split_rules.test_vis_threshold
    return {"train": box_rules.vis_threshold, "test": box_rules.vis_threshold if test is None else test}


def _with_frames(boxes: pd.DataFrame, sequence: Sequence) -> pd.DataFrame:
    return boxes.assign(
        file=[str(sequence.frame_path(frame)) for frame in boxes["frame"]],
        frame_width=sequence.width,
        frame_height=sequence.height,
        width=boxes["x2"] - boxes["x1"] + 1,
        height=boxes["y2"] - boxes["y1"] + 1,
    )


def _market_candidates(part: Part, taken: Taken) -> pd.DataFrame:
    list_part = market1501.list_train if part.part == "train" else market1501.list_test
    crops, reasons = list_part(part.folder)
    taken.boxes[f"{part.dataset} {part.part}"] = reasons
    person = part.dataset + "_" + crops["published_pid"].map("{:06d}".format).astype("str")
    names = crops["file"].str.rpartition("/")[2]
    crops = crops.assign(person=person, path="imgs/" + person + "/" + names, track_id=-1, visibility=1.0, width=1, height=1)
    crops[["x1", "y1", "x2", "y2", "frame_width", "frame_height"]] = NO_BOX
    crops = crops if "role" in crops else crops.assign(role="")
    return crops.assign(part=part.part, dataset=part.dataset, scene=part.scene, layout=part.layout)


def _split_train(crops: pd.DataFrame, rules: SplitRules, taken: Taken) -> pd.DataFrame:
    """Return the training crops that stay, with their `split`, train or val: no person is in both."""
    people = crops[["dataset", "scene", "person"]].drop_duplicates()
    if rules.val_by == "name":  # as mot2reid: people are divided first, then the rare ones dropped
        val_people = set(people["person"][split_by_name(people, rules.val_split)])
    crops = _drop_rare(crops, rules, taken)
    crops = _thin(crops, rules, taken)
    if rules.val_by == "identity":
        people = crops[["dataset", "scene", "person"]].drop_duplicates()
        rng = np.random.default_rng(rules.seed)
        val_people = set(people["person"][split_identities(people, rules.val_split, rng)])
    return crops.assign(split=np.where(crops["person"].isin(val_people), "val", "train"))


def _drop_rare(crops: pd.DataFrame, rules: SplitRules, taken: Taken) -> pd.DataFrame:
    rare = (crops.groupby("person")["path"].transform("size") < rules.min_per_person) & (crops["layout"] == "mot")
    taken.people["fewer than min_per_person crops"] = crops.loc[rare, "person"].nunique()
    _count(crops[rare], "people with fewer than min_per_person crops", taken)
    return crops[~rare]


def _thin(crops: pd.DataFrame, rules: SplitRules, taken: Taken) -> pd.DataFrame:
    """Return at most `max_per_person` crops of each person, by a sample that depends on the seed and the person's name alone."""
    kept = [
        group.sort_values("path").index[thin(len(group), rules.max_per_person, _rng_of(person, rules.seed))]
        for person, group in crops[crops["layout"] == "mot"].groupby("person")
    ]
    stays = crops.index.isin(np.concatenate(kept) if kept else []) | (crops["layout"] != "mot")
    taken.people["thinned to max_per_person crops"] = crops.loc[~stays, "person"].nunique()
    _count(crops[~stays], "crops beyond max_per_person", taken)
    return crops[stays]


def _rng_of(person: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(person.encode())])


def _split_test(crops: pd.DataFrame, rules: SplitRules, taken: Taken) -> pd.DataFrame:
    """Return the test crops that stay, with their `split`, query or gallery: as published, in MOT sets by time."""
    split = crops["role"].astype("str").copy()
    num_distractors = 0
    for _, person in crops[crops["layout"] == "mot"].groupby("person"):
        roles = split_query_gallery(person["frame"].to_numpy(), gap=rules.gap, num_queries=rules.queries_per_person)
        split[person.index] = roles
        num_distractors += "query" not in roles
    taken.people["gallery only: seen for less than gap frames"] = num_distractors
    _count(crops[split == ""], "crops between query and gallery", taken)
    return crops.assign(split=split)[split != ""]


def _number(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the plan with `pid` and `camid`, counted from 0 over the whole table in sorted order; distractors are −1."""
    background = (plan["layout"] != "mot") & plan["person"].str.endswith("_000000")
    people = plan[["dataset", "scene", "track_id", "person"]].apply(tuple, axis=1)
    cameras = plan[["dataset", "scene", "camera"]].apply(tuple, axis=1)
    pid = people[~background].map(_places(people[~background])).reindex(plan.index, fill_value=-1)
    return plan.assign(pid=pid.astype(int), camid=cameras.map(_places(cameras)))


def _places(values: pd.Series) -> dict[tuple, int]:
    return {value: place for place, value in enumerate(sorted(set(values)))}


def _count(crops: pd.DataFrame, reason: str, taken: Taken) -> None:
    for person, number in crops.groupby("person").size().items():
        taken.boxes[_source_of(person, taken)][reason] += int(number)


def _source_of(person: str, taken: Taken) -> str:
    return person.rpartition("_")[0]


def _told(taken: Taken) -> str:
    total = sum(taken.boxes.values(), Counter()) + Counter({f"people: {k}": v for k, v in taken.people.items()})
    return ", ".join(f"{reason} {number:,}" for reason, number in total.items() if number and reason not in _TOTALS) or "nothing"
