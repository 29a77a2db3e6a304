"""Calibrate a tracker's appearance gate from distances between crops of held-out people.

There are two kinds of distances:

- **pairs**: one crop against one crop of the same camera. The equal error rate, FNMR at FMR, and their tables by frame
  gap, visibility and crop height are computed from pairs.
- **appearance costs**: one crop against a track, as a tracker compares a detection with a lost track. The gates are
  fitted on these:

  | gate | appearance cost | used by |
  |---|---|---|
  | `cosine` | 1 − cosine to the nearest crop of the track | DeepSORT |
  | `ema_cosine` | 1 − cosine to the exponential moving average (.9) of the track's crops | StrongSORT |
  | `half_cosine` | half of `ema_cosine` | BoT-SORT |

  Deep OC-SORT has no published gate; with `ema_cosine` appearance is not used beyond the gate.
  The evidence tracker has a likelihood table of the same distance in place of a gate, see `likelihoods.py`.

The gate minimises the expected number of wrong decisions. A new detection is assumed to be a returning person or a new
person with equal probability, and the motion model leaves `num_candidates` lost tracks as candidates. A returning
person is rejected with the rate FNMR, and a new person is matched to a lost track with a rate of about
num_candidates × FMR. The gate minimises the sum of both.
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
from reidops.retrieval.likelihoods import PUBLISHED_ROWS, fit_likelihoods

log = logging.getLogger(__name__)

MIN_GENUINE = 30
# Used if there are no held-out pairs.
PUBLISHED_GATES = {"cosine": 0.2, "ema_cosine": 0.4, "half_cosine": 0.25}
FALSE_MATCH_RATES = (0.01, 0.001, 0.0001)
GAP_EDGES = (0, 5, 15, 30, 60, 150)  # frames
VISIBILITY_EDGES = (0.0, 0.3, 0.5, 0.7, 0.9)
HEIGHT_EDGES = (0, 64, 96, 128, 192, 256)  # px

Tables = dict[str, list[dict[str, float | int | None]]]


@dataclass(frozen=True)
class Calibration:
    """The report for calibration.json, and the distances of held-out people from which it was computed."""

    report: dict[str, Any]
    pairs: Distances
    nearest: Distances
    moving_average: Distances


def calibrate(
    crops: Crops, *, num_candidates: float = 3.0, min_gap: int = 15, boxes: str = "crops", chose_checkpoint: bool = True
) -> Calibration:
    """Return error rates and gates, computed from crops of people who are neither in training nor in tracking.

    If too few people return within one camera, all cameras are treated as one. If no person returns, the published
    gates are used. `report["fitted_on"]` states the case and the counts.

    Args:
        num_candidates: average number of lost tracks that are candidates for a returning person.
        min_gap: minimum number of frames between a crop and the crops of its own track that it is compared with.
        boxes: the kind of boxes of the crops, for the report.
        chose_checkpoint: whether the checkpoint was chosen on these people, for the report; see `docs/calibration.md`.
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
        log.warning(
            "the gates are the published ones: %d crops of %d held-out people have no returns to calibrate on",
            len(chosen),
            fitted_on["num_people"],
        )
        fitted_on["scope"] = "none: published gates"
    pairs = pair_up(chosen)
    report = _report(pairs.split(), nearest, average, num_candidates)
    # Frame numbers of different cameras are not comparable.
    by = _tables(pairs, ("visibility", "height") if scope == "all cameras" else ("frame_gap", "visibility", "height"))
    return Calibration(report | {"fitted_on": fitted_on, "by": by}, pairs.split(), nearest, average)


def equal_error(distances: Distances) -> tuple[float, float]:
    """Return the equal error rate and its threshold, at which FNMR and FMR differ least."""
    thresholds = _thresholds(distances)
    missed, matched = distances.error_rates(thresholds)
    difference = np.abs(missed - matched)
    best = _middle(np.flatnonzero(difference == difference.min()))
    return float((missed[best] + matched[best]) / 2), float(thresholds[best])


def miss_rates(distances: Distances, rates: tuple[float, ...] = FALSE_MATCH_RATES) -> dict[str, float | None]:
    """Return FNMR at the largest threshold whose FMR is at most each rate; None if there are too few impostors."""
    return {f"{rate:g}": _miss_rate(distances, rate) for rate in rates}


def best_gate(distances: Distances, num_candidates: float) -> float:
    """Return the distance that minimises FNMR + num_candidates × FMR; of an interval of minima its middle."""
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
        "likelihoods": {"evidence": fit_likelihoods(average) if average.is_enough else PUBLISHED_ROWS},
        "at_gate": rates_at(nearest, gates["cosine"]),
        "at_ema_gate": rates_at(average, gates["ema_cosine"]),
    }


def rates_at(distances: Distances, gate: float) -> dict[str, float | None]:
    """Return the error rates of a gate: the fraction of rejected returns (fnmr) and of accepted impostors (fmr)."""
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
    """Return one row per interval of a condition; an interval starts at `at_least` and ends before the next one."""
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
    """Return the thresholds at which error rates can change: all distances, and one value below the smallest."""
    values = np.unique(np.concatenate([distances.genuine, distances.impostor]).astype(np.float64))
    return np.concatenate([[np.nextafter(values[0], -np.inf)], values])


def _miss_rate(distances: Distances, rate: float) -> float | None:
    allowed = int(rate * len(distances.impostor))
    if allowed == 0:
        return None
    # The threshold lies just below the first impostor that would exceed the rate.
    below = distances.genuine.searchsorted(distances.impostor[allowed], "left")
    return float(1 - below / len(distances.genuine))


def _middle(positions: np.ndarray) -> int:
    return int(positions[len(positions) // 2])


def _rounded(value: float) -> float:
    return round(float(value), 6)
