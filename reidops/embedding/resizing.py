"""Resize crops to a network's input.

`resize_crop` is used by training, evaluation, ONNX and serving, so that all have the same input. The module imports
OpenCV and NumPy only, so that a user of an embedder does not wait for more.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from reidops.errors import ReidopsError

INTERPOLATION = "area where both sides shrink, else bilinear"


def resize_crop(crop_bgr: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a BGR crop [h, w, 3] as the network's input: RGB uint8 [height, width, 3]."""
    shrinks = crop_bgr.shape[0] >= height and crop_bgr.shape[1] >= width
    resized = cv2.resize(crop_bgr, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)


def resize_crops(crops_bgr: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """Return crops of any sizes as one batch, RGB uint8 [N, height, width, 3].

    Raises:
        ReidopsError: a crop is empty or not BGR uint8; the message has its index.
    """
    images = np.empty((len(crops_bgr), height, width, 3), np.uint8)
    for i, crop in enumerate(crops_bgr):
        if (
            not isinstance(crop, np.ndarray)
            or crop.dtype != np.uint8
            or crop.ndim != 3
            or crop.shape[2] != 3
            or crop.size == 0
        ):
            raise ReidopsError(
                f"crop {i} is {_describe(crop)}, expected a non-empty uint8 array [height, width, 3] in BGR order"
            )
        images[i] = resize_crop(crop, height, width)
    return images


def rows_with_pixels(crops: Sequence[np.ndarray]) -> list[int]:
    """Return the indices of the crops that have a pixel; the crop of a box outside its frame has none."""
    return [row for row, crop in enumerate(crops) if getattr(crop, "size", 1)]


def _describe(crop: object) -> str:
    return (
        f"an array {list(crop.shape)} of {crop.dtype}" if isinstance(crop, np.ndarray) else f"a {type(crop).__name__}"
    )
