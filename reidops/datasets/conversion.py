"""Convert a plan to data/crops: write the tar, and return the crops table and the report."""

from pathlib import Path
from typing import Any

import pandas as pd

from reidops.datasets.packing import CutRules, pack_crops
from reidops.datasets.planning import SPLITS, LeftOut, crop_sources
from reidops.tables import CROPS, check_table


def cut_and_pack(
    plan: pd.DataFrame, tar: Path, rules: CutRules | None = None, *, workers: int | None = None
) -> pd.DataFrame:
    """Write `tar` and return the crops table (tables.CROPS), in the order of the tar's members."""
    packed = pack_crops(crop_sources(plan), tar, rules, workers=workers)
    table = plan.assign(offset=packed[:, 0], size=packed[:, 1], width=packed[:, 2], height=packed[:, 3])
    return check_table(table[list(CROPS.columns)], CROPS, str(tar))


def report_crops(crops: pd.DataFrame, left_out: LeftOut) -> dict[str, Any]:
    """Return counts per split and data set, and the numbers of left-out boxes and people by reason.

    With `download.leave_out`, `leave_out` has the counts of `leave_out.count_left_out`.
    """
    named = {"leave_out": left_out.named} if left_out.named else {}
    return named | {
        "num_crops": len(crops),
        "num_people": int(crops.loc[crops["pid"] >= 0, "pid"].nunique()),
        "num_cameras": int(crops["camid"].nunique()),
        "splits": {split: _count_crops(crops[crops["split"] == split]) for split in SPLITS},
        "datasets": {
            f"{dataset} {split}": _count_crops(group) for (dataset, split), group in crops.groupby(["dataset", "split"])
        },
        "queries_without_match": num_unmatched_queries(crops),
        "people_in_train_and_test": _num_in_both(crops),
        "people_left_out": left_out.people,
        "boxes": {source: dict(sorted(reasons.items())) for source, reasons in sorted(left_out.boxes.items())},
    }


def num_unmatched_queries(crops: pd.DataFrame) -> int:
    """Return the number of queries without a match, by the default rule of `evaluate_reid`.

    If most queries of a set have a match in another camera, only crops of other cameras are matches. Otherwise, as in
    MOT scenes, all crops of the person are.
    """
    return sum(_num_unmatched_in_set(rows) for _, rows in crops.groupby("dataset"))


def _num_unmatched_in_set(crops: pd.DataFrame) -> int:
    query, gallery = crops[crops["split"] == "query"], crops[crops["split"] == "gallery"]
    cameras = gallery.groupby("pid")["camid"].agg(set).to_dict()
    seen = [cameras.get(pid, set()) for pid in query["pid"]]
    by_camera = sum(not cams - {camid} for cams, camid in zip(seen, query["camid"], strict=True))
    return by_camera if by_camera < len(query) / 2 else sum(not cams for cams in seen)


def _count_crops(crops: pd.DataFrame) -> dict[str, int]:
    return {
        "crops": len(crops),
        "people": int(crops.loc[crops["pid"] >= 0, "pid"].nunique()),
        "distractors": int((crops["pid"] < 0).sum()),
        "cameras": int(crops["camid"].nunique()),
    }


def _num_in_both(crops: pd.DataFrame) -> int:
    training = crops["split"].isin(["train", "val"])
    both = set(crops.loc[training, "pid"]) & set(crops.loc[~training, "pid"])
    return len(both - {-1})
