"""One number per scene and aspect: sizes, light, colour, detector, embeddings and gate margins."""

from collections.abc import Sequence

import numpy as np

from reidops.drift.observations import Observations

SCALARS = {
    "height": "mean log2 of the boxes' height, px",
    "aspect": "mean log2 of height ÷ width",
    "brightness": "mean luma of the crops, 0 … 255",
    "contrast": "mean standard deviation of the luma in a crop",
    "red_green": "mean R − G",
    "blue_yellow": "mean B − (R + G) / 2",
    "confidence": "mean score of the detector",
    "boxes_per_frame": "log2 of 1 + boxes per frame",
    "spread": "mean cosine distance of an embedding to its scene's centroid",
    "gate_margin": "mean of the gate − the cosine distance to the nearest box half a second before",
}
"""Statistics that can move in both directions, with their meaning."""

DISTANCES = {
    "centroid": "cosine distance between the centroids of the embeddings",
    "energy": "log of the energy distance between the embeddings (Székely and Rizzo 2013)",
}
"""Statistics that grow with the difference of a scene from the others."""

_SMALLEST_ENERGY = 1e-4


def scalar_statistics(scene: Observations, gate: float) -> dict[str, float]:
    """Return the SCALARS of a scene; `gate_margin` is NaN if no pair of frames has boxes in both."""
    centroid = scene.embeddings.mean(axis=0)
    return {
        "height": float(np.log2(scene.height).mean()),
        "aspect": float(np.log2(scene.height / scene.width).mean()),
        "brightness": float(scene.brightness.mean()),
        "contrast": float(scene.contrast.mean()),
        "red_green": float(scene.red_green.mean()),
        "blue_yellow": float(scene.blue_yellow.mean()),
        "confidence": float(scene.confidence.mean()),
        "boxes_per_frame": float(np.log2(1 + len(scene) / scene.num_frames)),
        "spread": float(1 - (scene.embeddings @ _unit(centroid)).mean()),
        "gate_margin": gate - _nearest_distance(scene),
    }


def distance_statistics(embeddings: np.ndarray, others: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the DISTANCES of a scene's embeddings [n, dim] from those of other scenes, one array each."""
    pool = np.concatenate(others)
    cosine = float(_unit(embeddings.mean(axis=0)) @ _unit(pool.mean(axis=0)))
    return {"centroid": 1 - cosine, "energy": float(np.log(max(energy_distance(embeddings, pool), _SMALLEST_ENERGY)))}


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return 2 E|A − B| − E|A − A'| − E|B − B'| of rows [n, dim] and [m, dim]; no row is paired with itself."""
    between, within_a, within_b = _distances(a, b), _distances(a, a), _distances(b, b)
    return float(2 * between.mean() - _mean_of_pairs(within_a) - _mean_of_pairs(within_b))


def _mean_of_pairs(distances: np.ndarray) -> float:
    n = len(distances)
    return float(distances.sum() / max(1, n * (n - 1)))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    distances = np.sqrt(squares.clip(0))
    if a is b:
        np.fill_diagonal(distances, 0)
    return distances


def _nearest_distance(scene: Observations) -> float:
    """Return the mean cosine distance of boxes to the nearest box in the earlier frame of their pair."""
    nearest = []
    for pair in np.unique(scene.pair):
        rows = scene.pair == pair
        earlier, later = scene.embeddings[rows & ~scene.is_later], scene.embeddings[rows & scene.is_later]
        if len(earlier) and len(later):
            nearest.append((1 - later @ earlier.T).min(axis=1))
    return float(np.concatenate(nearest).mean()) if nearest else float("nan")


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
