"""Embed crops of the crops table, by a network from one view or five views of each crop, or by a colour histogram."""

import cv2
import numpy as np

from reidops.embedding.embedder import Embedder
from reidops.embedding.images import CropStore
from reidops.embedding.resizing import resize_crop
from reidops.parallel import map_on_cores
from reidops.progress_bar import progress_bar
from reidops.retrieval.colour_histogram import embed_colours

WINDOW = 0.875  # side of a corner window, as a fraction of the crop's side


def embed_rows(embedder: Embedder, store: CropStore, rows: np.ndarray, batch_size: int, views: int = 1) -> np.ndarray:
    """Return unit embeddings of these rows of the crops table, float32 [len(store), dim]; other rows are zero.

    Each core decodes and embeds its own batches.

    Args:
        views: 1, or 5 for the mean of the whole crop and a window in each corner (multi-crop test-time augmentation).
    """
    embeddings = np.zeros((len(store), embedder.dim), np.float32)
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    embedded = map_on_cores(
        lambda batch: embed_views(embedder, _load(store, batch, embedder.input_size, views)), batches
    )
    for batch, of_batch in zip(progress_bar(batches, desc="embed crops", unit="batches"), embedded, strict=True):
        embeddings[batch] = of_batch
    return embeddings


def embed_views(embedder: Embedder, images: np.ndarray) -> np.ndarray:
    """Return the normalized mean of the embeddings of each crop's views, float32 [N, dim].

    Args:
        images: RGB uint8 [views, N, height, width, 3].
    """
    embedded = [embedder.embed_images(of_view) for of_view in images]
    if len(embedded) == 1:
        return embedded[0]
    total = np.sum(embedded, axis=0)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def view(crop_bgr: np.ndarray, height: int, width: int, views: int) -> np.ndarray:
    """Return the views of a crop as inputs of a network, RGB uint8 [views, height, width, 3].

    The first view is the whole crop, the others are its corners.
    """
    whole = resize_crop(crop_bgr, height, width)[None]
    if views == 1:
        return whole
    large = cv2.resize(
        crop_bgr, (round(width / WINDOW), round(height / WINDOW)), interpolation=_interpolation(crop_bgr, height, width)
    )
    tops, lefts = (0, large.shape[0] - height), (0, large.shape[1] - width)
    corners = [large[top : top + height, left : left + width, ::-1] for top in tops for left in lefts]
    return np.concatenate([whole, corners])


def embed_row_colours(store: CropStore, rows: np.ndarray) -> np.ndarray:
    """Return colour histograms of these rows as unit rows, float32 [len(store), dim]; other rows are zero."""
    colours = embed_colours(store.decode(row) for row in progress_bar(rows, desc="count colours", unit="crops"))
    whole = np.zeros((len(store), colours.shape[1]), np.float32)
    whole[rows] = colours
    return whole


def _load(store: CropStore, batch: np.ndarray, size: tuple[int, int], views: int) -> np.ndarray:
    """Return the views of the crops in these rows, RGB uint8 [views, len(batch), height, width, 3]."""
    return np.stack([view(store.decode(row), *size, views) for row in batch], axis=1)


def _interpolation(crop_bgr: np.ndarray, height: int, width: int) -> int:
    shrinks = crop_bgr.shape[0] * WINDOW >= height and crop_bgr.shape[1] * WINDOW >= width
    return cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
