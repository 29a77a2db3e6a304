"""Ranking and re-ranking do not allocate the matrix of all distances."""

import tracemalloc
from collections.abc import Callable

import numpy as np

from reidops.retrieval.exact_counting import unit_rows
from reidops.retrieval.ranking import score_embeddings
from reidops.retrieval.reranking import reranked_blocks


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the peak memory that `work` allocated, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def people(num_crops: int) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings of 400 people, and their pids."""
    rng = np.random.default_rng(0)
    pids = rng.integers(0, 400, num_crops)
    return unit_rows(rng.normal(size=(400, 16))[pids] + 0.5 * rng.normal(size=(num_crops, 16)), "crops"), pids


def test_ranking_allocates_at_most_a_third_of_all_distances() -> None:
    crops, pids = people(24_000)
    labels = {"query_pids": pids[:4000], "gallery_pids": pids[4000:], "junk": "none"}
    assert peak_bytes(lambda: score_embeddings(crops[:4000], crops[4000:], **labels)) < 4000 * 20_000 * 4 / 3


def test_re_ranking_allocates_at_most_a_third_of_all_distances() -> None:
    crops, _ = people(8000)
    assert peak_bytes(lambda: [len(block) for block in reranked_blocks(crops[:1000], crops[1000:])]) < 8000**2 * 4 / 3
