"""From distances between crops of held-out people to the gate of a tracker: how far apart may two crops of one person
be?

Two kinds of distances are told apart:

- **pairs**: one crop against one crop, seen by one camera. Equal error rate, FNMR at FMR, and their tables by frame
  gap, visibility and crop height are of these.
- **a tracker's cost**: one crop against a track, as a tracker compares a detection with a person it has lost. The gates
  are of these:

  | gate | a tracker's cost | who uses it |
  |---|---|---|
  | `cosine` | 1 − cosine to the nearest crop of the track | DeepSORT |
  | `ema_cosine` | 1 − cosine to the exponential moving average (.9) of the track's crops | StrongSORT |
  | `half_cosine` | half of that | BoT-SORT |

  Deep OC-SORT has no published gate; with `ema_cosine` two looks count for nothing beyond it.

A gate is where wrong decisions are fewest. When a detection appears, either a lost person has returned or somebody new
has come, equally often; the motion model leaves `num_candidates` lost tracks within reach. So a returning person is
refused in FNMR of the cases, and a newcomer is taken for somebody lost in about num_candidates × FMR: the gate
minimises their sum.
"""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from reidops.retrieval.crop_distances import (
    Crops,
    Distances,
    Pairs,
    as_one_camera,
    moving_average_distances,
    nearest_distances,
    pair_up,
    thinned_rows,
)

logger = logging.getLogger(__name__)

MIN_GENUINE = 30
# for models without a single held-out pair to measure
PUBLISHED_GATES = {"cosine": 0.2, "ema_cosine": 0.4, "half_cosine": 0.25}
FALSE_MATCH_RATES = (0.01, 0.001, 0.0001)
GAP_EDGES = (0, 5, 15, 30, 60, 150)  # frames
VISIBILITY_EDGES = (0.0, 0.3, 0.5, 0.7, 0.9)
HEIGHT_EDGES = (0, 64, 96, 128, 192, 256)  # px

Tables = dict[str, list[dict[str, float | int | None]]]


@dataclass(frozen=True)
class Calibration:
    """What was found on held-out people: the report for calibration.json, and the distances that it was found on."""

    report: dict[str, Any]
    pairs: Distances
    nearest: Distances
    moving_average: Distances


def calibrate(
    crops: Crops, *, num_candidates: float = 3.0, min_gap: int = 15, boxes: str = "crops", chose_checkpoint: bool = True
) -> Calibration:
    """Return error rates and gates from crops of people whom the model was not trained on and no tracker is scored on.

    Args:
        num_candidates: lost tracks within reach of a returning person, on average.
        min_gap: frames between a crop and what it is compared with, when a track meets its own crops.
        boxes: what the crops are of, for the report.
        chose_checkpoint: whether these people also chose the checkpoint, for the report; `docs/calibration.md` says
            what that costs.

    Where one camera saw too few people return, all cameras count as one; where nobody returns at all, the published
    gates stand. `report["fitted_on"]` says which, with the counts.
    """
    scope, rows = "same camera", thinned_rows(crops)
    nearest = nearest_distances(crops.of(rows), min_gap)
    if len(nearest.genuine) < MIN_GENUINE or not nearest.is_enough:
        scope, crops = "all cameras", as_one_camera(crops, min_gap)
        rows = thinned_rows(crops)
        nearest = nearest_distances(crops.of(rows), min_gap)
    average = moving_average_distances(crops, min_gap, rows)
    chosen = crops.of(rows)
    fitted_on = {
        "boxes": boxes,
        "scope": scope,
        "num_crops": len(chosen),
        "num_people": len(np.unique(chosen.pids)),
        "chose_checkpoint": chose_checkpoint,
        "min_gap_frames": min_gap,
        "num_candidates": num_candidates,
        "num_genuine_returns": len(nearest.genuine),
        "num_impostor_returns": len(nearest.impostor),
    }
    if not nearest.is_enough:
        logger.warning(
            "%d crops of %d held-out people give no returns to calibrate on: the gates are the published ones",
            len(chosen),
            fitted_on["num_people"],
        )
        fitted_on["scope"] = "none: published gates"
    pairs = pair_up(chosen)
    report = _report(pairs.split(), nearest, average, num_candidates)
    # Frames of several cameras are no common time.
    by = _tables(pairs, ("visibility", "height") if scope == "all cameras" else ("frame_gap", "visibility", "height"))
    return Calibration(report | {"fitted_on": fitted_on, "by": by}, pairs.split(), nearest, average)


def equal_error(distances: Distances) -> tuple[float, float]:
    """Return the equal error rate and the distance at which it is reached: where FNMR and FMR come nearest to each
    other.
    """
    thresholds = _thresholds(distances)
    missed, matched = distances.error_rates(thresholds)
    difference = np.abs(missed - matched)
    best = _middle(np.flatnonzero(difference == difference.min()))
    return float((missed[best] + matched[best]) / 2), float(thresholds[best])


def miss_rates(distances: Distances, rates: tuple[float, ...] = FALSE_MATCH_RATES) -> dict[str, float | None]:
    """Return FNMR at the largest threshold whose FMR is at most each rate; None where there are too few impostors to
    tell.
    """
    return {f"{rate:g}": _miss_rate(distances, rate) for rate in rates}


def best_gate(distances: Distances, num_candidates: float) -> float:
    """Return the distance at which FNMR + num_candidates × FMR is least; the middle of a valley with a flat ground."""
    thresholds = _thresholds(distances)
    missed, matched = distances.error_rates(thresholds)
    cost = missed + num_candidates * matched
    low = cost <= cost.min() + 1e-12
    start = int(low.argmax())
    width = int(np.append(~low[start:], True).argmax())
    end = min(start + width, len(thresholds) - 1)  # the cost stays low until the next distance is reached
    return max(float((thresholds[start] + thresholds[end]) / 2), 0.0)


def _report(pairs: Distances, nearest: Distances, average: Distances, num_candidates: float) -> dict[str, Any]:
    eer, threshold = equal_error(pairs) if pairs.is_enough else (None, None)
    gates = dict(PUBLISHED_GATES)
    if nearest.is_enough:
        gates["cosine"] = best_gate(nearest, num_candidates)
    if average.is_enough:
        gates["ema_cosine"] = best_gate(average, num_candidates)
        gates["half_cosine"] = gates["ema_cosine"] / 2
    return {
        "eer": eer,
        "eer_threshold": threshold,
        "num_genuine": len(pairs.genuine),
        "num_impostor": len(pairs.impostor),
        "fnmr_at_fmr": miss_rates(pairs) if pairs.is_enough else {},
        "gates": gates,
        "at_gate": rates_at(nearest, gates["cosine"]),
        "at_ema_gate": rates_at(average, gates["ema_cosine"]),
    }


def rates_at(distances: Distances, gate: float) -> dict[str, float | None]:
    """Return the share of returns that a gate refuses, and of strangers that it lets pass."""
    if not distances.is_enough:
        return {"fnmr": None, "fmr": None}
    missed, matched = distances.error_rates(np.array([gate]))
    return {"fnmr": float(missed[0]), "fmr": float(matched[0])}


def _tables(pairs: Pairs, conditions: tuple[str, ...]) -> Tables:
    known = {
        "frame_gap": (pairs.gap, GAP_EDGES),
        "visibility": (pairs.visibility, VISIBILITY_EDGES),
        "height": (pairs.height, HEIGHT_EDGES),
    }
    return {name: _table(pairs, *known[name]) for name in conditions}


def _table(pairs: Pairs, condition: np.ndarray, edges: tuple[float, ...]) -> list[dict[str, float | int | None]]:
    """Return one row per interval of a condition: from `at_least` up to, not including, the next one's."""
    intervals = np.searchsorted(edges, condition, "right") - 1
    return [
        {"at_least": edge, **_summary(pairs.split(chosen))}
        for number, edge in enumerate(edges)
        if (chosen := intervals == number).any()
    ]


def _summary(distances: Distances) -> dict[str, float | int | None]:
    medians = {
        f"median_{kind}": _rounded(np.median(values)) if len(values) else None
        for kind, values in vars(distances).items()
    }
    eer = _rounded(equal_error(distances)[0]) if distances.is_enough else None
    return {"num_genuine": len(distances.genuine), "num_impostor": len(distances.impostor), "eer": eer, **medians}


def _thresholds(distances: Distances) -> np.ndarray:
    """Return where error rates can change: at the distances themselves, one step below the first included."""
    values = np.unique(np.concatenate([distances.genuine, distances.impostor]).astype(np.float64))
    return np.concatenate([[np.nextafter(values[0], -np.inf)], values])


def _miss_rate(distances: Distances, rate: float) -> float | None:
    allowed = int(rate * len(distances.impostor))
    if allowed == 0:
        return None
    # stricter than the first impostor too many
    below = distances.genuine.searchsorted(distances.impostor[allowed], "left")
    return float(1 - below / len(distances.genuine))


def _middle(positions: np.ndarray) -> int:
    return int(positions[len(positions) // 2])


def _rounded(value: float) -> float:
    return round(float(value), 6)
