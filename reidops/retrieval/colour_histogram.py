"""Compute colour histograms of crops, the baseline of a trained embedder."""

from collections.abc import Iterable

import cv2
import numpy as np

BINS = (12, 4, 4)  # of hue, saturation and value
STRIPES = ((0.15, 0.5), (0.5, 0.85))  # upper and lower body, as fractions of the crop's height
MIDDLE = (0.2, 0.8)  # fractions of the crop's width; the margins are mostly background


def embed_colours(crops: Iterable[np.ndarray]) -> np.ndarray:
    """Return colour histograms as unit rows, float32 [N, 384], of BGR uint8 crops [h, w, 3].

    A row holds the square roots of the histograms of the upper and the lower body, so that 1 − cosine is the squared
    Hellinger distance.
    """
    return np.array([_embed_crop(crop) for crop in crops], np.float32)


def _embed_crop(crop: np.ndarray) -> np.ndarray:
    hsv = cv2.cvtColor(crop, cv2.COLOR_BGR2HSV)
    histograms = [np.sqrt(_histogram(_stripe_pixels(hsv, stripe))) for stripe in STRIPES]
    return np.concatenate(histograms) / np.sqrt(len(STRIPES))


def _stripe_pixels(image: np.ndarray, stripe: tuple[float, float]) -> np.ndarray:
    """Return the middle of a stripe, at least one pixel."""
    rows, columns = (_span(size, share) for size, share in zip(image.shape, (stripe, MIDDLE), strict=False))
    return np.ascontiguousarray(image[rows, columns])


def _span(size: int, share: tuple[float, float]) -> slice:
    start = min(int(size * share[0]), size - 1)
    return slice(start, max(int(size * share[1]), start + 1))


def _histogram(pixels: np.ndarray) -> np.ndarray:
    """Return the fraction of pixels in each bin of hue, saturation and value; the sum is 1."""
    counts = cv2.calcHist([pixels], [0, 1, 2], None, list(BINS), [0, 180, 0, 256, 0, 256]).ravel()
    return counts / counts.sum()
