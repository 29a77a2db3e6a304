"""Assess generated crops: their Fréchet distance from the training crops, and whether they copy them."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd

from reidops.embedding.images import CropStore, load_images
from reidops.generation.copies import Nearest, compare_with_training, find_nearest
from reidops.generation.features import FeatureNetwork
from reidops.generation.frechet import frechet_distance

MOST_GENERATED, MOST_TRAINING = 2000, 8000
"""Largest numbers of crops that are compared; more are sampled."""

_SMALL = (16, 32)  # width and height at which pixels are compared, px


@dataclass(frozen=True)
class Assessment:
    """The figures, the compared training crops (rows of the table), and the nearest of them for each generated crop."""

    report: dict[str, Any]
    rows: np.ndarray
    nearest: Nearest


def assess(
    images: np.ndarray, store: CropStore, table: pd.DataFrame, network: FeatureNetwork, *, seed: int
) -> Assessment:
    """Compare generated crops, RGB uint8 [N, H, W, 3], with the crops of the split `train` of the table."""
    rng = np.random.default_rng(seed)
    images = images[:MOST_GENERATED]
    rows = np.sort(rng.permutation(table.index[table["split"] == "train"].to_numpy())[:MOST_TRAINING])
    real = load_images(store, rows, network.height, network.width, desc="read training crops")
    features, real_features = network.features(_resized(images, network)), network.features(real)
    crops = table.loc[rows]
    pictures = crops.groupby(["scene", "camid", "frame"]).ngroup().to_numpy()
    people = crops["pid"].to_numpy()
    pixels, real_pixels = _pixels(images), _pixels(real)
    report = {
        "features": network.name,
        **_distances(features, real_features, rng),
        "nearest_by_features": compare_with_training(features, real_features, pictures, people),
        "nearest_by_pixels": compare_with_training(pixels, real_pixels, pictures, people),
    }
    return Assessment(report, rows, find_nearest(pixels, real_pixels))


def _distances(features: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Return the Fréchet distance of generated from real crops, and that of two halves of the real crops.

    All sets have the same size, because the distance depends on it.
    """
    order = rng.permutation(len(real))
    size = min(len(features), len(real) // 2)
    halves = real[order[:size]], real[order[size : 2 * size]]
    figures = {
        "frechet_distance": frechet_distance(features[:size], halves[0]),
        "frechet_distance_of_training_halves": frechet_distance(*halves),
    }
    return {"frechet_num_crops": size} | {name: value for name, value in figures.items() if np.isfinite(value)}


def _resized(images: np.ndarray, network: FeatureNetwork) -> np.ndarray:
    return np.stack([_resize(image, (network.width, network.height)) for image in images])


def _pixels(images: np.ndarray) -> np.ndarray:
    """Return vectors whose Euclidean distance is the root mean square difference of small pictures, in grey levels."""
    small = np.stack([_resize(image, _SMALL) for image in images]).reshape(len(images), -1).astype(np.float32)
    return small / np.sqrt(small.shape[1])


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    shrinks = image.shape[1] >= size[0] and image.shape[0] >= size[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
