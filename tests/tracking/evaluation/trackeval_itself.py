"""TrackEval's own metrics on a comparison: the reference for what is counted from the table of overlaps."""

from typing import Any

import numpy as np
from trackeval.metrics import CLEAR, HOTA, Identity

from reidops.tracking.evaluation.overlaps import Comparison, numbered


def trackeval_results(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Return what TrackEval's metrics say of one sequence."""
    (gt_ids, num_gt_ids), (tracker_ids, num_tracker_ids) = numbered(comparison.gt_ids), numbered(comparison.tracker_ids)
    data = {
        "num_timesteps": len(comparison.frames),
        "gt_ids": gt_ids,
        "tracker_ids": tracker_ids,
        "similarity_scores": comparison.similarities,
        "num_gt_ids": num_gt_ids,
        "num_tracker_ids": num_tracker_ids,
        "num_gt_dets": sum(map(len, gt_ids)),
        "num_tracker_dets": sum(map(len, tracker_ids)),
    }
    metrics = {"CLEAR": CLEAR({"PRINT_CONFIG": False}), "Identity": Identity({"PRINT_CONFIG": False}), "HOTA": HOTA()}
    return {name: metric.eval_sequence(data) for name, metric in metrics.items()}


def differing_fields(ours: dict[str, dict[str, Any]], theirs: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return the fields in which two results differ by more than rounding, with both values."""
    pairs = {
        f"{metric}.{name}": (ours[metric].get(name), value)
        for metric, fields in theirs.items()
        for name, value in fields.items()
    }
    return {
        name: pair for name, pair in pairs.items() if pair[0] is None or not np.allclose(*pair, rtol=1e-12, atol=1e-12)
    }
