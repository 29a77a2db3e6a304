"""From distances between crops of held-out people to the gate of a tracker: how far apart may two crops of one person be?

Two kinds of distances are told apart:

- **pairs**: one crop against one crop, seen by one camera. Equal error rate, FNMR at FMR, and their tables by frame gap,
  visibility and crop height are of these.
- **a tracker's cost**: one crop against a track, as a tracker compares a detection with a person it has lost: its nearest crop
  (DeepSORT's cosine cost) or the mean of its crops (what an exponential moving average tends to). The gates are of these.

A gate is where wrong decisions are fewest. When a detection appears, either a lost person has returned or somebody new has
come, equally often; the motion model leaves `num_candidates` lost tracks within reach. So a returning person is refused in
FNMR of the cases, and a newcomer is taken for somebody lost in about num_candidates × FMR: the gate minimises their sum.
"""

import dataclasses
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)

MIN_GENUINE = 30
PUBLISHED_GATE = 0.2  # DeepSORT's; for models without a single held-out pair to measure
MAX_CROPS_PER_CAMERA = 1500
FALSE_MATCH_RATES = (0.01, 0.001, 0.0001)
GAP_EDGES = (1, 5, 15, 30, 60, 150)
VISIBILITY_EDGES = (0.0, 0.3, 0.5, 0.7, 0.9)
HEIGHT_EDGES = (0, 64, 96, 128, 192, 256)


@dataclass(frozen=True)
class Crops:
    """Crops to calibrate on, one row each: unit embeddings [n, dim], and what is known of them, [n]."""

    embeddings: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    frames: np.ndarray
    visibilities: np.ndarray
    heights: np.ndarray

    def __len__(self) -> int:
        return len(self.pids)

    def of(self, rows: np.ndarray) -> "Crops":
        """Return some of the crops."""
        return Crops(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Distances:
    """Genuine distances (one person) and impostor distances (two people), each ascending, 1 − cosine."""

    genuine: np.ndarray
    impostor: np.ndarray

    def error_rates(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return FNMR, the share of genuine distances above each threshold, and FMR, that of impostor ones at or below it."""
        missed = 1 - self.genuine.searchsorted(thresholds, "right") / len(self.genuine)
        return missed, self.impostor.searchsorted(thresholds, "right") / len(self.impostor)

    @property
    def is_enough(self) -> bool:
        """Return whether there are distances of both kinds at all."""
        return len(self.genuine) > 0 and len(self.impostor) > 0


@dataclass(frozen=True)
class Calibration:
    """What was found on held-out people: the report for calibration.json, and the distances that it was found on."""

    report: dict[str, Any]
    pairs: Distances
    nearest: Distances


def calibrate(crops: Crops, *, num_candidates: float = 3.0, min_gap: int = 15) -> Calibration:
    """Return error rates and gates from crops of people whom the model was not trained on and no tracker is scored on.

    Args:
        num_candidates: lost tracks within reach of a returning person, on average.
        min_gap: frames between a crop and what it is compared with, when a track meets its own crops.

    Where one camera saw too few people return, all cameras count as one; where nobody returns at all, the published gate
    stands. `report["fitted_on"]` says which, with the counts.
    """
    chosen, scope = thinned(crops), "same camera"
    nearest, mean = track_distances(chosen, min_gap)
    if len(nearest.genuine) < MIN_GENUINE or not nearest.is_enough:
        chosen, scope = _as_one_camera(crops, min_gap), "all cameras"
        nearest, mean = track_distances(chosen, min_gap)
    pairs, tables = pair_distances(chosen)
    fitted_on = {"scope": scope, "num_crops": len(chosen), "num_people": len(np.unique(chosen.pids)), "min_gap_frames": min_gap,
                 "num_candidates": num_candidates, "num_genuine_returns": len(nearest.genuine), "num_impostor_returns": len(nearest.impostor)}
    if not nearest.is_enough:
        logger.warning("%d crops of %d held-out people give no returns to calibrate on: the gate is the published %.2f",
                       len(chosen), fitted_on["num_people"], PUBLISHED_GATE)
        fitted_on["scope"] = "none: published gate"
    return Calibration(_report(pairs, nearest, mean, num_candidates) | {"fitted_on": fitted_on, "by": tables}, pairs, nearest)


def equal_error(distances: Distances) -> tuple[float, float]:
    """Return the equal error rate and the distance at which it is reached: where FNMR and FMR come nearest to each other."""
    thresholds = _thresholds(distances)
    missed, matched = distances.error_rates(thresholds)
    difference = np.abs(missed - matched)
    best = _middle(np.flatnonzero(difference == difference.min()))
    return float((missed[best] + matched[best]) / 2), float(thresholds[best])


def miss_rates(distances: Distances, rates: tuple[float, ...] = FALSE_MATCH_RATES) -> dict[str, float | None]:
    """Return FNMR at the largest threshold whose FMR is at most each rate; None where there are too few impostors to tell."""
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


def pair_distances(crops: Crops) -> tuple[Distances, dict[str, list[dict[str, float | int | None]]]]:
    """Return the distances between all crops of one camera, and the tables of their errors by condition."""
    parts = [_pairs_of_camera(crops.of(np.flatnonzero(crops.camids == camid))) for camid in np.unique(crops.camids)]
    pairs = _Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Pairs.__dataclass_fields__))
    return _sorted(pairs.distances, pairs.genuine), _tables(pairs)


def track_distances(crops: Crops, min_gap: int) -> tuple[Distances, Distances]:
    """Return the distances between crops and tracks: to a track's nearest crop, and to the mean of its crops.

    A track is what one camera saw of one person. A crop meets its own track without itself and without what lies less than
    `min_gap` frames away, as if it came back after that time.
    """
    nearest, mean = ([], []), ([], [])
    for camid in np.unique(crops.camids):
        for kind, (near, average) in enumerate(_tracks_of_camera(crops.of(np.flatnonzero(crops.camids == camid)), min_gap)):
            nearest[kind].append(near)
            mean[kind].append(average)
    joined = [Distances(*(np.sort(np.concatenate(kind)) for kind in cost)) for cost in (nearest, mean)]
    return joined[0], joined[1]


def thinned(crops: Crops, per_camera: int = MAX_CROPS_PER_CAMERA) -> Crops:
    """Return at most so many crops of each camera, evenly spread over its people and their frames."""
    rows = []
    for camid in np.unique(crops.camids):
        of_camera = np.flatnonzero(crops.camids == camid)
        of_camera = of_camera[np.lexsort((crops.frames[of_camera], crops.pids[of_camera]))]
        kept = min(per_camera, len(of_camera))
        rows.append(of_camera[np.linspace(0, len(of_camera) - 1, kept).round().astype(int)])
    return crops.of(np.sort(np.concatenate(rows)))


def _report(pairs: Distances, nearest: Distances, mean: Distances, num_candidates: float) -> dict[str, Any]:
    eer, threshold = equal_error(pairs) if pairs.is_enough else (None, None)
    gate, mean_gate = (best_gate(cost, num_candidates) if cost.is_enough else PUBLISHED_GATE for cost in (nearest, mean))
    return {
        "eer": eer, "eer_threshold": threshold, "num_genuine": len(pairs.genuine), "num_impostor": len(pairs.impostor),
        "fnmr_at_fmr": miss_rates(pairs) if pairs.is_enough else {},
        "gates": {"cosine": gate, "half_cosine": gate / 2, "ema_cosine": mean_gate},
        "at_gate": _rates_at(nearest, gate),
    }


def _rates_at(distances: Distances, gate: float) -> dict[str, float | None]:
    """Return the share of returns that a gate refuses, and of strangers that it lets pass."""
    if not distances.is_enough:
        return {"fnmr": None, "fmr": None}
    missed, matched = distances.error_rates(np.array([gate]))
    return {"fnmr": float(missed[0]), "fmr": float(matched[0])}


def _as_one_camera(crops: Crops, min_gap: int) -> Crops:
    """Return the crops as if one camera had seen all of them, none too near to another in time."""
    frames = np.arange(len(crops)) * max(min_gap, 1)
    return thinned(dataclasses.replace(crops, camids=np.zeros(len(crops), np.int64), frames=frames))


@dataclass(frozen=True)
class _Pairs:
    """Pairs of crops, [num_pairs]: their distance, whether they show one person, and the worse of their two conditions."""

    distances: np.ndarray
    genuine: np.ndarray
    gap: np.ndarray
    visibility: np.ndarray
    height: np.ndarray


def _pairs_of_camera(crops: Crops) -> _Pairs:
    first, second = np.triu_indices(len(crops), k=1)
    similarities = (crops.embeddings @ crops.embeddings.T)[first, second]
    return _Pairs(
        distances=1 - similarities,
        genuine=crops.pids[first] == crops.pids[second],
        gap=np.abs(crops.frames[first] - crops.frames[second]),
        visibility=np.minimum(crops.visibilities[first], crops.visibilities[second]),
        height=np.minimum(crops.heights[first], crops.heights[second]),
    )


def _tracks_of_camera(crops: Crops, min_gap: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return genuine and impostor distances of one camera, each to the nearest crop and to the mean of a track."""
    order = np.argsort(crops.pids, kind="stable")
    crops = crops.of(order)
    people, starts = np.unique(crops.pids, return_index=True)
    distances = 1 - crops.embeddings @ crops.embeddings.T
    means = _unit(np.add.reduceat(crops.embeddings, starts, axis=0))
    nearest, average = np.minimum.reduceat(distances, starts, axis=1), 1 - crops.embeddings @ means.T
    others = crops.pids[:, None] != people
    own = [_own_track(crops.of(np.flatnonzero(crops.pids == pid)), min_gap) for pid in people]
    genuine = tuple(np.concatenate([track[cost] for track in own]) for cost in (0, 1))
    return genuine, (nearest[others], average[others])


def _own_track(track: Crops, min_gap: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each crop's distance to its track's nearest crop and to their mean, leaving out what is too near in time."""
    apart = np.abs(track.frames[:, None] - track.frames) >= max(min_gap, 1)
    crops = apart.any(axis=1)
    distances = np.where(apart, 1 - track.embeddings @ track.embeddings.T, np.inf)[crops].min(axis=1, initial=np.inf)
    means = _unit(apart[crops].astype(np.float32) @ track.embeddings)
    return distances, 1 - (track.embeddings[crops] * means).sum(axis=1)


def _tables(pairs: _Pairs) -> dict[str, list[dict[str, float | int | None]]]:
    edges = {"frame_gap": ("gap", GAP_EDGES), "visibility": ("visibility", VISIBILITY_EDGES), "height": ("height", HEIGHT_EDGES)}
    return {name: _table(pairs, getattr(pairs, column), bounds) for name, (column, bounds) in edges.items()}


def _table(pairs: _Pairs, condition: np.ndarray, edges: tuple[float, ...]) -> list[dict[str, float | int | None]]:
    """Return one row per interval of a condition: from `at_least` up to, not including, the next one's."""
    intervals = np.searchsorted(edges, condition, "right") - 1
    return [{"at_least": edge, **_summary(_sorted(pairs.distances[chosen], pairs.genuine[chosen]))}
            for number, edge in enumerate(edges) if (chosen := intervals == number).any()]


def _summary(distances: Distances) -> dict[str, float | int | None]:
    medians = {f"median_{kind}": _rounded(np.median(values)) if len(values) else None for kind, values in vars(distances).items()}
    eer = _rounded(equal_error(distances)[0]) if distances.is_enough else None
    return {"num_genuine": len(distances.genuine), "num_impostor": len(distances.impostor), "eer": eer, **medians}


def _sorted(distances: np.ndarray, genuine: np.ndarray) -> Distances:
    return Distances(np.sort(distances[genuine]), np.sort(distances[~genuine]))


def _thresholds(distances: Distances) -> np.ndarray:
    """Return where error rates can change: at the distances themselves, one step below the first included."""
    values = np.unique(np.concatenate([distances.genuine, distances.impostor]).astype(np.float64))
    return np.concatenate([[np.nextafter(values[0], -np.inf)], values])


def _miss_rate(distances: Distances, rate: float) -> float | None:
    allowed = int(rate * len(distances.impostor))
    if allowed == 0:
        return None
    below = distances.genuine.searchsorted(distances.impostor[allowed], "left")  # stricter than the first impostor too many
    return float(1 - below / len(distances.genuine))


def _middle(positions: np.ndarray) -> int:
    return int(positions[len(positions) // 2])


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def _rounded(value: float) -> float:
    return round(float(value), 6)
