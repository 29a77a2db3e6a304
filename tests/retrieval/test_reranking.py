"""Re-ranking with sparse rows agrees with dense matrices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import dense_rerank
from threadpoolctl import threadpool_limits

from reidops.errors import ReidopsError
from reidops.retrieval import neighbours
from reidops.retrieval.exact_counting import unit_rows
from reidops.retrieval.neighbours import nearest
from reidops.retrieval.ranking import score_distances
from reidops.retrieval.reranking import jaccard_graph, rerank


def people(seed: int, num_people: int, num_crops: int, spread: float, dim: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings clustered around one centre per person, and their pids."""
    rng = np.random.default_rng(seed)
    pids = np.arange(num_crops) % num_people
    return unit_rows(
        rng.normal(size=(num_people, dim))[pids] + spread * rng.normal(size=(num_crops, dim)), "query"
    ), pids


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_query=st.integers(1, 8),
    num_gallery=st.integers(2, 40),
    k1=st.integers(1, 20),
    k2=st.integers(1, 6),
    weight=st.floats(0, 1),
)
def test_sparse_rows_agree_with_dense_matrices(
    seed: int, num_query: int, num_gallery: int, k1: int, k2: int, weight: float
) -> None:
    k2 = min(k2, k1 + 1)
    crops, _ = people(seed, 6, num_query + num_gallery, 0.7)
    found = rerank(crops[:num_query], crops[num_query:], k1=k1, k2=k2, weight=weight)
    np.testing.assert_allclose(found, dense_rerank(crops[:num_query], crops[num_query:], k1, k2, weight), atol=1e-6)


def test_the_published_constants_agree_with_dense_matrices() -> None:
    crops, _ = people(0, 25, 300, 0.8)
    np.testing.assert_allclose(
        rerank(crops[:50], crops[50:]), dense_rerank(crops[:50], crops[50:], 20, 6, 0.3), atol=1e-6
    )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num_crops=st.integers(2, 420), k=st.integers(1, 25), dim=st.integers(1, 12))
def test_neighbours_are_those_of_a_stable_sort_for_any_number_of_ties(
    seed: int, num_crops: int, k: int, dim: int
) -> None:
    # whole products: float32 rounds none
    crops = np.random.default_rng(seed).integers(-1, 2, (num_crops, dim)).astype(np.float32)
    k = min(k, num_crops - 1)
    products = crops @ crops.T
    found = nearest(crops, k)
    np.testing.assert_array_equal(found.index, np.argsort(-products, axis=1, kind="stable")[:, : k + 1])
    np.testing.assert_array_equal(found.farthest, np.maximum(1 - products.min(axis=1), np.finfo(np.float32).tiny))


def test_blocks_that_do_not_divide_the_crops_give_the_same_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    crops, _ = people(6, 10, 333, 0.8)
    whole = nearest(crops, 20)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 4 * 333 * 50)
    monkeypatch.setattr(neighbours, "CELLS_AT_ONCE", 333 * 7)
    np.testing.assert_array_equal(nearest(crops, 20).index, whole.index)


@pytest.mark.parametrize("threads", [1, 2])
def test_neither_the_gallerys_order_nor_the_threads_change_a_re_ranked_distance(threads: int) -> None:
    crops, _ = people(7, 40, 900, 0.8)
    order = np.random.default_rng(0).permutation(800)
    with threadpool_limits(threads):
        shuffled = rerank(crops[:100], crops[100:][order])
    np.testing.assert_allclose(shuffled, rerank(crops[:100], crops[100:])[:, order], atol=1e-6)


def test_re_ranking_raises_the_map_of_people_who_cluster() -> None:
    crops, pids = people(3, 30, 600, 1.1)
    labels = {"query_pids": pids[:90], "gallery_pids": pids[90:], "junk": "none"}
    plain = score_distances(1 - crops[:90] @ crops[90:].T, **labels).mAP
    assert plain < 0.9
    assert score_distances(rerank(crops[:90], crops[90:]), **labels).mAP > plain + 0.05


def test_a_weight_of_one_keeps_the_plain_order() -> None:
    crops, _ = people(4, 5, 30, 0.5)
    np.testing.assert_array_equal(
        np.argsort(rerank(crops[:3], crops[3:], weight=1.0)), np.argsort(1 - crops[:3] @ crops[3:].T)
    )


@pytest.mark.parametrize("constants", [{"k1": 0}, {"k2": 0}, {"k1": 3, "k2": 5}, {"weight": 1.5}])
def test_constants_out_of_range_are_reported(constants: dict[str, float]) -> None:
    crops, _ = people(5, 3, 9, 0.5)
    with pytest.raises(ReidopsError, match="expected 1 ≤ k1"):
        rerank(crops[:3], crops[3:], **constants)


def test_embeddings_of_two_models_are_refused() -> None:
    with pytest.raises(ReidopsError, match="2 dimensions, gallery embeddings 3"):
        rerank(np.eye(2), np.eye(3))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num=st.integers(2, 40),
    k1=st.integers(1, 12),
    k2=st.integers(1, 4),
    radius=st.floats(0, 0.99),
)
def test_the_graph_holds_the_jaccard_distances_up_to_its_radius(
    seed: int, num: int, k1: int, k2: int, radius: float
) -> None:
    crops, _ = people(seed, 6, num, 0.7)
    k2 = min(k2, k1 + 1)
    graph = jaccard_graph(crops, k1=k1, k2=k2, radius=radius).toarray()
    # With the weight 0 a re-ranked distance is the Jaccard distance.
    expected = dense_rerank(crops[:1], crops[1:], k1, k2, 0)[0]
    stored = graph[0, 1:] > 0
    np.testing.assert_allclose(graph[0, 1:][stored], expected[stored], atol=1e-6)
    assert (expected[~stored] > radius - 1e-6).all() and (graph <= radius + 1e-6).all()
    np.testing.assert_array_equal(graph, graph.T)
    assert not graph.diagonal().any()


def test_the_graph_of_equal_crops_stores_their_pairs_and_that_of_one_crop_is_empty() -> None:
    graph = jaccard_graph(np.ones((3, 4), np.float32), k1=2, k2=1, radius=0.5)
    assert graph.nnz == 6 and (graph.data < 1e-6).all()
    assert jaccard_graph(np.ones((1, 4), np.float32)).shape == (1, 1)


@pytest.mark.parametrize("radius", [-0.1, 1.0])
def test_a_radius_outside_0_to_1_is_refused(radius: float) -> None:
    with pytest.raises(ReidopsError, match="radius"):
        jaccard_graph(np.eye(3, dtype=np.float32), radius=radius)
