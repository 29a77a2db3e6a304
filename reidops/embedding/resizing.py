"""Resize crops to the network's input: with OpenCV where it is installed, else with NumPy.

`resize_crop` is the one way from a crop to the network's input: training, evaluation, ONNX and serving all pass through
it. The results of the two ways differ by at most one grey level, so that a registered model needs no OpenCV.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from reidops.errors import ReidopsError

INTERPOLATION = "area where both sides shrink, else bilinear"

_ONE = 1 << 11  # the weight 1 in the fixed-point arithmetic of OpenCV's bilinear interpolation


def _find_opencv() -> Any:
    """Return the module of OpenCV, None where it is not installed or lacks a library of the system (libGL)."""
    try:
        return import_module("cv2")
    except ImportError:
        return None


cv2 = _find_opencv()


def resize_crop(crop_bgr: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a BGR crop [h, w, 3] as the network's input: RGB uint8 [height, width, 3]."""
    if cv2 is None:
        return resize_without_opencv(crop_bgr, height, width)[:, :, ::-1]
    interpolation = cv2.INTER_AREA if _shrinks(crop_bgr, height, width) else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(crop_bgr, (width, height), interpolation=interpolation), cv2.COLOR_BGR2RGB)


def resize_crops(crops_bgr: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """Return crops of any sizes as one batch, RGB uint8 [N, height, width, 3].

    Raises:
        ReidopsError: a crop is empty or not BGR uint8; it is named by its place in the list.
    """
    images = np.empty((len(crops_bgr), height, width, 3), np.uint8)
    for i, crop in enumerate(crops_bgr):
        if not _is_crop(crop):
            raise ReidopsError(
                f"crop {i} is {_describe(crop)}, expected a non-empty uint8 array [height, width, 3] in BGR order"
            )
        images[i] = resize_crop(crop, height, width)
    return images


def rows_with_pixels(crops: Sequence[np.ndarray]) -> list[int]:
    """Return the indices of the crops that have a pixel; the crop of a box outside its frame has none."""
    return [row for row, crop in enumerate(crops) if getattr(crop, "size", 1)]


def resize_without_opencv(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return an image uint8 [h, w, 3] as uint8 [height, width, 3], with the weights of OpenCV's `resize`."""
    if not _shrinks(image, height, width):
        return _interpolate(image, height, width)
    rows, columns = _area_weights(image.shape[0], height), _area_weights(image.shape[1], width)
    narrow = np.tensordot(columns, image.astype(np.float32), (1, 1))  # [width, h, 3]
    return np.rint(np.tensordot(rows, narrow, (1, 1))).astype(np.uint8)


def _interpolate(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Interpolate in the fixed-point arithmetic of OpenCV: weights of 11 bits, and 4 bits dropped between the axes."""
    left, right, share = _linear_weights(image.shape[1], width)
    share = share[:, None]
    narrow = (image[:, left] * (_ONE - share) + image[:, right] * share) >> 4
    upper, lower, share = _linear_weights(image.shape[0], height)
    share = share[:, None, None]
    mixed = (((_ONE - share) * narrow[upper]) >> 16) + ((share * narrow[lower]) >> 16)
    return ((mixed + 2) >> 2).astype(np.uint8)


def _shrinks(image: np.ndarray, height: int, width: int) -> bool:
    return image.shape[0] >= height and image.shape[1] >= width


@lru_cache(maxsize=256)
def _area_weights(given: int, wanted: int) -> np.ndarray:
    """Return the share of each given pixel in each wanted pixel, float32 [wanted, given]; rows sum to 1."""
    edges = np.arange(wanted + 1) * (given / wanted)
    pixels = np.arange(given)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (overlap.clip(0) * (wanted / given)).astype(np.float32)


@lru_cache(maxsize=256)
def _linear_weights(given: int, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the left and the right pixel of each wanted pixel, and the weight of the right one in 1/2048."""
    places = ((np.arange(wanted) + 0.5) * (given / wanted) - 0.5).clip(0, given - 1)
    left = np.floor(places).astype(np.int32)
    share = np.rint((places - left) * _ONE).astype(np.int32)
    return left, (left + 1).clip(max=given - 1), share


def _is_crop(crop: object) -> bool:
    return (
        isinstance(crop, np.ndarray)
        and crop.dtype == np.uint8
        and crop.ndim == 3
        and crop.shape[2] == 3
        and crop.size > 0
    )


def _describe(crop: object) -> str:
    return (
        f"an array {list(crop.shape)} of {crop.dtype}" if isinstance(crop, np.ndarray) else f"a {type(crop).__name__}"
    )
