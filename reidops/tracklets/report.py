"""The report on tracklets: how many, how long, and how pure where there is ground truth."""

from collections.abc import Sequence as Rows
from typing import Any

import numpy as np
import pandas as pd

from reidops.parts import Part
from reidops.tracklets.building import Built
from reidops.tracklets.footage import Cut


def report_tracklets(built: Built, parts: Rows[Part]) -> dict[str, Any]:
    """Return the counts of all tracklets, and those of each sequence and ReID set."""
    sequences = {cut.part.sequence: _of_cut(cut) for cut in built.cuts}
    for part in (part for part in parts if part.layout != "mot"):
        own = built.tracklets[built.tracklets["dataset"] == part.dataset]
        crops = built.crops[built.crops["dataset"] == part.dataset]
        sequences[part.dataset] = {
            "num_tracklets": len(own),
            "num_crops": len(crops),
            "lengths": describe_lengths(own["num_boxes"]),
        }
    matched = [cut.truth for cut in built.cuts if cut.truth is not None]
    return {
        "num_tracklets": len(built.tracklets),
        "num_crops": len(built.crops),
        "num_cameras": int(built.tracklets["camid"].nunique()),
        "lengths": describe_lengths(built.tracklets["num_boxes"]),
        "transductive": any(part.is_transductive for part in parts),
        "sequences": sequences,
        **(_purity(built.truth, matched) if len(built.truth) else {}),
    }


def describe_lengths(lengths: pd.Series) -> dict[str, float]:
    """Return the least, the median, the mean and the largest number of boxes of tracklets; {} for none."""
    if not len(lengths):
        return {}
    return {
        "min": int(lengths.min()),
        "median": float(lengths.median()),
        "mean": round(float(lengths.mean()), 2),
        "max": int(lengths.max()),
    }


def name_fault(cut: Cut) -> str:
    """Return why a sequence has no tracklets, with the param to change; "" if it has some."""
    if len(cut.crops):
        return ""
    if not cut.num_detections:
        return "no detection in its frames: no people, or detect.source has none; see detect.detector.min_confidence"
    if cut.num_short:
        return (
            f"{cut.num_short} tracklets have fewer boxes than tracklets.min_length; lower it, or raise "
            f"tracklets.max_overlap and tracklets.max_gap"
        )
    return "no crop is good enough; lower tracklets.min_height, tracklets.min_visible or tracklets.min_sharpness"


def _of_cut(cut: Cut) -> dict[str, Any]:
    lengths = cut.boxes.groupby("piece").size()
    found: dict[str, Any] = {
        "num_tracklets": len(lengths),
        "num_crops": len(cut.crops),
        "num_detections": cut.num_detections,
        "num_boxes": len(cut.boxes),
        "lengths": describe_lengths(lengths),
        "splits": dict(sorted(cut.splits.items())),
        "num_short": cut.num_short,
        "num_cuts": cut.num_cuts,
        "first_frame": cut.part.first_frame,
        "last_frame": cut.last_frame,
        "transductive": cut.part.is_transductive,
    }
    if cut.truth is not None:
        table = cut.truth.table.rename(columns={"track_id": "pid"})
        found |= _purity(table, [cut.truth])
    return found | ({"fault": name_fault(cut)} if name_fault(cut) else {})


def _purity(truth: pd.DataFrame, matched: list[Any]) -> dict[str, Any]:
    """Return the purity of boxes and of tracklets, and the number of people.

    `purity` is the share of the annotated boxes that are of the person of their tracklet; `pure_tracklets` the share of
    the tracklets of known people with one person.
    """
    known = truth[truth["pid"] >= 0]
    annotated = sum(one.num_annotated for one in matched)
    right = sum(one.num_right for one in matched)
    return {
        "truth": {
            "purity": right / annotated if annotated else None,
            "annotated_boxes": annotated,
            "boxes": sum(one.num_boxes for one in matched),
            "pure_tracklets": float(np.mean(known["share"] >= 1)) if len(known) else None,
            "num_people": int(known["pid"].nunique()),
            "num_unknown": int((truth["pid"] < 0).sum()),
        }
    }
