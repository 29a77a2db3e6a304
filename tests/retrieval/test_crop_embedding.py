"""Crops are embedded from one view or five views, independent of batches and threads."""

from pathlib import Path

import numpy as np
import pytest
from drawn_crops import write_crops

from reidops.embedding.images import CropStore
from reidops.embedding.resizing import resize_crop, resize_crops
from reidops.retrieval.crop_embedding import embed_row_colours, embed_rows, embed_views, view
from reidops.tables import CROPS, read_table


class MeanOfParts:
    """An embedder whose vector is the mean brightness of eight parts of an image, made unit."""

    dim, input_size = 8, (16, 8)

    def embed_images(self, images: np.ndarray) -> np.ndarray:
        parts = images.reshape(len(images), 4, 4, 2, 4, 3).mean(axis=(2, 4, 5)).reshape(len(images), 8)
        return (parts / np.linalg.norm(parts, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> CropStore:
    crops = write_crops(tmp_path) / "crops"
    return CropStore(crops / "crops.tar", read_table(crops / "crops.parquet", CROPS))


@pytest.mark.parametrize("batch_size", [1, 17, 64])
def test_embeddings_do_not_depend_on_the_batch_and_other_rows_are_zero(store: CropStore, batch_size: int) -> None:
    embedder, rows = MeanOfParts(), np.arange(3, 40)
    embeddings = embed_rows(embedder, store, rows, batch_size)
    expected = embedder.embed_images(resize_crops([store.decode(row) for row in rows], *embedder.input_size))
    assert np.array_equal(embeddings[rows], expected)
    assert not np.delete(embeddings, rows, axis=0).any()


def test_five_views_are_the_whole_crop_and_its_corners(store: CropStore) -> None:
    crop = np.zeros((128, 64, 3), np.uint8)
    crop[:24, :12] = (0, 0, 255)  # red, top left
    views = view(crop, 64, 32, 5)
    assert views.shape == (5, 64, 32, 3)
    assert np.array_equal(views[0], resize_crop(crop, 64, 32))
    red = views[..., 0].astype(float).sum(axis=(1, 2))
    assert red[1] > red[0] > red[2] and red[1] > red[3] > red[4]  # top left, top right, bottom left, bottom right
    assert not views[..., 1:].any()


def test_views_are_averaged_to_a_unit_vector(store: CropStore) -> None:
    embedder, rows = MeanOfParts(), np.arange(5)
    embeddings = embed_rows(embedder, store, rows, 2, views=5)[rows]
    for row in rows:
        of_views = embedder.embed_images(view(store.decode(row), *embedder.input_size, 5))
        expected = of_views.sum(axis=0)
        assert embeddings[row] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


def test_one_view_is_the_embedding_of_the_embedder() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 8, 3), np.uint8)
    assert np.array_equal(embed_views(MeanOfParts(), images), MeanOfParts().embed_images(images[0]))


def test_without_rows_all_embeddings_are_zero(store: CropStore) -> None:
    assert not embed_rows(MeanOfParts(), store, np.empty(0, int), 8).any()


def test_colours_are_computed_for_the_given_rows_only(store: CropStore) -> None:
    colours = embed_row_colours(store, np.array([4, 2]))
    assert np.flatnonzero(colours.any(axis=1)).tolist() == [2, 4]
