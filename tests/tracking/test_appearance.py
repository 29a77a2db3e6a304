import numpy as np
import pytest

from reidops.tracking.appearance import FARTHEST, Gallery, appearance_distances


def unit_rows(n: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def filled(embeddings: np.ndarray, budget: int = 100) -> Gallery:
    gallery = Gallery(budget)
    for embedding in embeddings:
        gallery.add(embedding)
    return gallery


def test_distance_is_that_of_the_nearest_kept_embedding():
    kept, asked = unit_rows(7), unit_rows(4, seed=1)
    expected = [min(1 - float(k @ a) for k in kept) for a in asked]
    assert filled(kept).distances(asked) == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("num_added", [1, 5, 6, 11, 23])
def test_only_the_last_budget_embeddings_are_kept(num_added):
    embeddings = unit_rows(num_added)
    gallery = filled(embeddings, budget=5)
    assert len(gallery) == min(num_added, 5)
    expected = 1 - embeddings @ embeddings[-5:].T
    assert gallery.distances(embeddings) == pytest.approx(expected.min(axis=1), abs=1e-6)


def test_a_detection_without_embedding_is_farthest_from_all_and_is_not_kept():
    gallery = filled(np.concatenate([unit_rows(2), np.zeros((1, 6), np.float32)]))
    assert len(gallery) == 2
    assert appearance_distances([gallery], np.zeros((1, 6))).tolist() == [[FARTHEST]]


def test_an_empty_gallery_is_farthest_from_all():
    assert appearance_distances([Gallery(3)], unit_rows(2)).tolist() == [[FARTHEST, FARTHEST]]


def test_the_matrix_has_a_row_per_track_even_without_tracks():
    assert appearance_distances([], unit_rows(2)).shape == (0, 2)
    assert appearance_distances([filled(unit_rows(1))], np.zeros((0, 6), np.float32)).shape == (1, 0)
