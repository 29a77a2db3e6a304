"""Plan the crops of the parts: one row per crop with its person, camera and split. No image is decoded."""

import logging
import zlib
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence as Rows
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, groupby
from typing import Any

import numpy as np
import pandas as pd

from reidops.datasets.leave_out import LeaveOut, count_left_out, is_left_out
from reidops.datasets.packing import CropSource
from reidops.datasets.remedies import BETWEEN, BEYOND, NAMED, NO_PART, RARE, main_reason, remedy_of
from reidops.datasets.sets import LAYOUTS
from reidops.errors import ReidopsError
from reidops.mot.crops import BELOW_VISIBILITY, BoxRules, check_frames, choose_boxes
from reidops.mot.sequences import Sequence, read_annotations, read_sequence
from reidops.mot.splits import split_by_name, split_identities, split_query_gallery, thin
from reidops.parallel import cluster_address, map_parallel
from reidops.parts import IDENTITY, Part
from reidops.tables import CROPS

logger = logging.getLogger(__name__)

NO_BOX = -1
SPLITS = ("train", "val", "query", "gallery")
_TOTALS = ("boxes", "crops")  # keys of the numbers before anything was left out


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


@dataclass(frozen=True)
class LeftOut:
    """Numbers of boxes, crops and people that were left out, by reason.

    `boxes` has a counter per sequence or ReID set, which also holds the total; `people` has a number per reason.
    `named` has an entry per set of `download.leave_out`, as `count_left_out` returns it.
    """

    boxes: dict[str, Counter]
    people: dict[str, int]
    named: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return every reason with its number, "nothing" if nothing was left out."""
        total = sum(self.boxes.values(), Counter())
        boxes = [f"{reason} {number:,}" for reason, number in total.items() if number and reason not in _TOTALS]
        people = [f"{number:,} people: {reason}" for reason, number in self.people.items() if number]
        return ", ".join(boxes + people) or "nothing"


@dataclass(frozen=True)
class _Candidates:
    """The candidate crops of one sequence or ReID set, and the number of boxes that each rule left out."""

    source: str
    crops: pd.DataFrame
    taken: Counter


def plan_crops(
    parts: list[Part],
    box_rules: BoxRules,
    split_rules: SplitRules,
    leave_out: Rows[LeaveOut] = (),
    *,
    workers: int | None = None,
) -> tuple[pd.DataFrame, LeftOut]:
    """Return one row per crop in packing order, and what was left out.

    The people of `leave_out` are neither in train nor in val. A Dask cluster reads the sequences unless `workers` is 1.

    Columns are those of tables.CROPS without `offset` and `size`, and `person` (folder name), `file`, `x1` … `y2`
    (px, inclusive; −1 for the whole file), `frame_width` and `frame_height`. Without a part train or test there is no
    row.

    Raises:
        ReidopsError: a split is empty, there are fewer than two people to train on, or `leave_out` names no person of
            a set.
    """
    candidates = _candidates(parts, partial(_candidates_of, box_rules=box_rules, split_rules=split_rules), workers)
    if not candidates:
        return _no_crops(), LeftOut({}, {})
    chosen = pd.concat([found.crops.assign(source=found.source) for found in candidates], ignore_index=True)
    # `split` holds the split of a crop, or the reason why the crop is left out.
    leave_out = [row for row in leave_out if (chosen.loc[chosen["part"] == "train", "dataset"] == row.dataset).any()]
    named = is_left_out(chosen, leave_out)
    train, test = (chosen[(chosen["part"] == part) & ~named] for part in ("train", "test"))
    splits = [_train_splits(train, split_rules), _test_splits(test, split_rules), _named_splits(chosen[named])]
    chosen = chosen.assign(split=pd.concat(splits))
    _check_paths(chosen)
    left_out = replace(_left_out(candidates, chosen), named=count_left_out(chosen, named, leave_out))
    planned = chosen[chosen["split"].isin(SPLITS)]
    plan = _Plan(parts, box_rules, split_rules, left_out)
    _check_train(planned, plan)
    _check_test(planned, plan)
    _warn_of_losses(planned, plan)
    return _number(planned).reset_index(drop=True), left_out


def _no_crops() -> pd.DataFrame:
    """Return a plan without rows."""
    numbers = ("x1", "y1", "x2", "y2", "frame_width", "frame_height")
    dtypes = CROPS.dtypes | dict.fromkeys(("person", "file", "member"), "str") | dict.fromkeys(numbers, "int64")
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in dtypes.items()})


def crop_sources(plan: pd.DataFrame) -> list[CropSource]:
    """Return one source per row of the plan; the crops of a frame share one string and one size to save memory."""
    columns = ["path", "file", "member", "x1", "y1", "x2", "y2", "frame_width", "frame_height"]
    files: dict[str, str] = {}
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    sources = []
    # `tolist` reads a column of text at once; the iterator of pandas takes ten times as long.
    for path, file, member, *box, width, height in zip(*(plan[name].tolist() for name in columns), strict=True):
        file, size = files.setdefault(file, file), sizes.setdefault((width, height), (width, height))
        is_whole = box[0] == NO_BOX
        sources.append(CropSource(path, file, member=member) if is_whole else CropSource(path, file, tuple(box), size))
    return sources


def _check_paths(chosen: pd.DataFrame) -> None:
    twice = chosen[chosen["path"].duplicated()]
    if len(twice):
        first = chosen[chosen["path"] == twice["path"].iloc[0]]
        raise ReidopsError(
            f"parts.csv: {' and '.join(first['file'])} would both be written to {first['path'].iloc[0]}; name each "
            f"sequence in one data set only, and use separate folders or lists for training and test"
        )


@dataclass(frozen=True)
class _Plan:
    """The parts and rules of a plan, and what they left out."""

    parts: list[Part]
    box_rules: BoxRules
    split_rules: SplitRules
    left_out: LeftOut

    def has(self, part: str, layout: str = "") -> bool:
        """Return whether any row belongs to the part, and has the layout if one is given."""
        return any(row.part == part and layout in ("", row.layout) for row in self.parts)

    def remedy(self, part: str) -> str:
        """Return the param to change so that a part has more crops, for the most frequent reason."""
        taken = sum((self.left_out.boxes.get(source, Counter()) for source in self._sources(part)), Counter())
        reason = main_reason(taken)
        threshold = _vis_thresholds(self.box_rules, self.split_rules)[part]
        classes = self._classes(part) if reason else ()
        return remedy_of(reason, replace(self.box_rules, vis_threshold=threshold), classes)

    def _sources(self, part: str) -> set[str]:
        rows = [row for row in self.parts if row.part == part]
        return {row.sequence if row.layout == "mot" else f"{row.dataset} {part}" for row in rows}

    def _classes(self, part: str) -> tuple[int, ...]:
        """Return the classes of a part's annotations, the most frequent first."""
        folders = sorted({row.folder for row in self.parts if row.part == part and row.layout == "mot"})
        found = [read_annotations(read_sequence(folder))["class_id"] for folder in folders]
        return tuple(pd.concat(found).value_counts().index.tolist()) if found else ()


def _check_train(planned: pd.DataFrame, plan: _Plan) -> None:
    num_people = planned.loc[planned["split"] == "train", "person"].nunique()
    if num_people < 2 and plan.has("train"):
        more = "name more sets in download.train"
        remedy = " or ".join(word for word in (plan.remedy("train"), more) if word)
        raise ReidopsError(
            f"convert: the training split has {num_people} people, expected at least 2; left out: {plan.left_out}; "
            f"{remedy}"
        )


def _check_test(planned: pd.DataFrame, plan: _Plan) -> None:
    found = [(planned["split"] == role).any() for role in ("query", "gallery")]
    if plan.has("test") and not all(found):
        there = " and ".join(
            f"{'some' if any_crop else 'no'} {role}" for any_crop, role in zip(found, ("query", "gallery"), strict=True)
        )
        if any(found) and not plan.has("test", "mot"):
            raise ReidopsError(
                f"convert: the test part has {there} crops; left out: {plan.left_out}; a person needs two crops or "
                "more, one as query and one in the gallery: add crops of the tested people"
            )
        remedy = "lower convert.gap" if any(found) else plan.remedy("test")
        remedy = " or ".join(word for word in (remedy, "name more sequences in download.test") if word)
        raise ReidopsError(
            f"convert: the test part has {there} crops; left out: {plan.left_out}; a person needs crops at least "
            f"convert.gap ({plan.split_rules.gap}) frames apart: {remedy}"
        )


def _warn_of_losses(planned: pd.DataFrame, plan: _Plan) -> None:
    """Warn of sequences without crops, with the most frequent reason and its remedy."""
    crops = planned["source"].value_counts()
    for source, taken in plan.left_out.boxes.items():
        reason = main_reason(taken)
        if not crops.get(source, 0) and reason:
            remedy = remedy_of(reason, plan.box_rules)
            logger.warning(
                "%s: no crop is left: %s of %s boxes left out because of %s%s",
                source,
                f"{taken[reason]:,}",
                f"{sum(taken[total] for total in _TOTALS):,}",
                reason,
                f"; {remedy}" if remedy else "",
            )


def _candidates(
    parts: list[Part], read: Callable[[list[Part]], list[_Candidates]], workers: int | None
) -> list[_Candidates]:
    """Return the candidates of each sequence and ReID set, by name."""
    wanted = [part for part in parts if part.part in ("train", "test")]
    wanted.sort(key=lambda part: (part.layout, part.dataset, part.sequence, str(part.folder)))
    groups = [list(group) for _, group in groupby(wanted, key=lambda part: (part.layout, part.folder))]
    # Other processes of this host would import pandas first, which takes as long as the reading of many sequences.
    return list(chain.from_iterable(map_parallel(read, groups, workers if cluster_address() else 1)))


def _candidates_of(parts: list[Part], box_rules: BoxRules, split_rules: SplitRules) -> list[_Candidates]:
    """Return the candidates of one folder; `parts` are its rows."""
    if parts[0].layout == "mot":
        return [_mot_candidates(parts, box_rules, split_rules)]
    return [_reid_candidates(part) for part in parts]


def _mot_candidates(parts: list[Part], box_rules: BoxRules, split_rules: SplitRules) -> _Candidates:
    """Return the crops of one sequence in frame order; `parts` are the rows of that sequence."""
    sequence = read_sequence(parts[0].folder)
    boxes, taken = choose_boxes(sequence, _loosest(parts, box_rules, split_rules))
    part = _parts_of_boxes(boxes, parts, sequence, split_rules.seed)
    dim = boxes["visibility"] < part.map(_vis_thresholds(box_rules, split_rules)).astype(float).fillna(0.0)
    kept = ~dim & (part != "")
    taken += Counter({BELOW_VISIBILITY: int(dim.sum()), NO_PART: int((~dim & ~kept).sum())})
    crops = _with_frames(boxes.assign(part=part)[kept].sort_values("frame", kind="stable"), sequence)
    crops = crops.assign(
        dataset=parts[0].dataset,
        scene=parts[0].scene,
        camera=0,
        layout="mot",
        role="",
        member="",
        tracklet=-1,
        distractor=False,
    )
    return _Candidates(sequence.name, crops, taken)


def _parts_of_boxes(boxes: pd.DataFrame, parts: list[Part], sequence: Sequence, seed: int) -> pd.Series:
    """Return the part of each box, "" for boxes of no part.

    Raises:
        ReidopsError: a frame of a part is missing.
    """
    part = pd.Series("", index=boxes.index, dtype="str")
    for row in parts:
        check_frames(sequence, row.first_frame, row.last_frame)
        in_part = boxes["frame"].between(row.first_frame, row.last_frame)
        if row.divides_people:
            in_part &= _is_tested(boxes["person"], row, seed) == (row.part == "test")
        part[in_part] = row.part
    return part


def _is_tested(person: pd.Series, part: Part, seed: int) -> pd.Series:
    """Return whether each box belongs to a test person, for scenes whose people are divided.

    The result depends on the scene and the seed only, so that it is the same for train and test.
    """
    share = float(part.protocol.removeprefix(IDENTITY))
    people = pd.DataFrame({"dataset": part.dataset, "scene": part.scene, "person": sorted(set(person))})
    rng = np.random.default_rng([seed, zlib.crc32(part.scene.encode())])
    return person.isin(people["person"][split_identities(people, share, rng)])


def _loosest(parts: list[Part], box_rules: BoxRules, split_rules: SplitRules) -> BoxRules:
    """Return the rules with the lowest visibility threshold of the parts, so that each sequence is read once."""
    thresholds = _vis_thresholds(box_rules, split_rules)
    return replace(box_rules, vis_threshold=min(thresholds[part.part] for part in parts))


def _vis_thresholds(box_rules: BoxRules, split_rules: SplitRules) -> dict[str, float]:
    test = split_rules.test_vis_threshold
    return {"train": box_rules.vis_threshold, "test": box_rules.vis_threshold if test is None else test}


def _with_frames(boxes: pd.DataFrame, sequence: Sequence) -> pd.DataFrame:
    files = {frame: str(sequence.frame_path(frame)) for frame in boxes["frame"].unique()}
    return boxes.assign(
        file=[files[frame] for frame in boxes["frame"]],
        frame_width=sequence.width,
        frame_height=sequence.height,
        width=boxes["x2"] - boxes["x1"] + 1,
        height=boxes["y2"] - boxes["y1"] + 1,
    )


def _reid_candidates(part: Part) -> _Candidates:
    """Return the crops of one part of a ReID set, whose images are already crops."""
    if part.layout not in LAYOUTS:
        raise ReidopsError(
            f"parts.csv: {part.dataset} has the unknown layout {part.layout}, expected one of mot, "
            f"{', '.join(LAYOUTS)}; run the stage `download` again"
        )
    crops, taken = LAYOUTS[part.layout].list_part(part.folder, part.part, part.protocol)
    person = part.dataset.replace(":", "-") + "_" + crops["published_pid"].map("{:06d}".format).astype("str")
    crops = crops.assign(
        person=person, path="imgs/" + person + "/" + crops["name"], track_id=-1, visibility=1.0, width=1, height=1
    )
    crops[["x1", "y1", "x2", "y2", "frame_width", "frame_height"]] = NO_BOX
    crops = crops.assign(part=part.part, dataset=part.dataset, scene=part.scene, layout=part.layout)
    return _Candidates(f"{part.dataset} {part.part}", crops, taken)


def _train_splits(crops: pd.DataFrame, rules: SplitRules) -> pd.Series:
    """Return train, val or the reason for leaving it out, for each crop; no person is in both splits."""
    is_mot = crops["layout"] == "mot"
    rare = is_mot & (crops.groupby("person")["path"].transform("size") < rules.min_per_person)
    beyond = is_mot & ~crops.index.isin(_thinned(crops, rules))
    # mot2reid divides all people before it drops the rare ones, which changes the share of val.
    people = crops if rules.val_by == "name" else crops[~rare]
    is_val = crops["person"].isin(_val_people(people[["dataset", "scene", "person"]].drop_duplicates(), rules))
    return pd.Series(
        np.select([rare, beyond, is_val], [RARE, BEYOND, "val"], default="train"), index=crops.index, dtype="str"
    )


def _val_people(people: pd.DataFrame, rules: SplitRules) -> pd.Series:
    if rules.val_by == "name":
        return people["person"][split_by_name(people, rules.val_split)]
    return people["person"][split_identities(people, rules.val_split, np.random.default_rng(rules.seed))]


def _thinned(crops: pd.DataFrame, rules: SplitRules) -> np.ndarray:
    """Return the index of at most `max_per_person` crops of each person.

    The sample depends on the seed and the person's name only.
    """
    kept = []
    for person, group in crops.groupby("person"):
        if len(group) > rules.max_per_person:
            rng = np.random.default_rng([rules.seed, zlib.crc32(person.encode())])
            group = group.sort_values("path").iloc[thin(len(group), rules.max_per_person, rng)]
        kept.append(group.index)
    return np.concatenate(kept) if kept else np.empty(0, dtype=int)


def _named_splits(crops: pd.DataFrame) -> pd.Series:
    return pd.Series(NAMED, index=crops.index, dtype="str")


def _test_splits(crops: pd.DataFrame, rules: SplitRules) -> pd.Series:
    """Return query, gallery or the reason for leaving it out, for each crop.

    ReID sets keep their published roles; MOT sets are split by time.
    """
    split = crops["role"].astype("str").copy()
    for _, person in crops[crops["layout"] == "mot"].groupby("person"):
        split[person.index] = split_query_gallery(
            person["frame"].to_numpy(), gap=rules.gap, num_queries=rules.queries_per_person
        )
    return split.where(split != "", BETWEEN)


def _left_out(candidates: list[_Candidates], chosen: pd.DataFrame) -> LeftOut:
    """Count the boxes that the rules left out, and the crops with a reason instead of a split."""
    lost = chosen[~chosen["split"].isin(SPLITS)]
    boxes = {
        found.source: found.taken + Counter(lost.loc[lost["source"] == found.source, "split"]) for found in candidates
    }
    tested = chosen[(chosen["part"] == "test") & (chosen["layout"] == "mot")]
    queried = tested.loc[tested["split"] == "query", "person"]
    people = {
        "fewer than min_per_person crops": lost.loc[lost["split"] == RARE, "person"].nunique(),
        "thinned to max_per_person crops": lost.loc[lost["split"] == BEYOND, "person"].nunique(),
        "gallery only, seen for less than gap frames": tested.loc[~tested["person"].isin(queried), "person"].nunique(),
    }
    named = lost.loc[lost["split"] == NAMED, "person"].nunique()
    return LeftOut(boxes, people | ({"named in download.leave_out": named} if named else {}))


def _number(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the plan with `pid` and `camid`, which count from 0 in sorted order; the pid of distractors is −1."""
    pid = plan[~plan["distractor"]].groupby(["dataset", "scene", "track_id", "person"]).ngroup()
    camid = plan.groupby(["dataset", "scene", "camera"]).ngroup()
    return plan.assign(pid=pid.reindex(plan.index, fill_value=-1), camid=camid)
