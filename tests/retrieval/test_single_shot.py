"""CUHK03's single-gallery-shot protocol: repeated random galleries with one crop of each person."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain import plain_ranks

from reidops.errors import ReidopsError
from reidops.retrieval.exact_counting import unit_rows
from reidops.retrieval.matches import Labels, find_matches
from reidops.retrieval.ranking import score_blocks, score_distances, score_embeddings
from reidops.retrieval.single_shot import SingleShot, draw_shots, find_identities


def drawn_search(seed: int, num_query: int = 4, num_gallery: int = 12, num_people: int = 4) -> dict[str, np.ndarray]:
    """Return a random search with ties, two cameras and distractors."""
    rng = np.random.default_rng(seed)
    return {
        "distances": rng.integers(0, 9, (num_query, num_gallery)) / 8,
        "query_pids": rng.integers(0, num_people, num_query),
        "gallery_pids": rng.integers(-1, num_people, num_gallery),
        "query_camids": rng.integers(0, 2, num_query),
        "gallery_camids": rng.integers(0, 2, num_gallery),
    }


def junk_of(search: dict[str, np.ndarray], query: int) -> np.ndarray:
    """Return the crops of the query's person and camera."""
    one_person = search["gallery_pids"] == search["query_pids"][query]
    return np.flatnonzero(one_person & (search["gallery_camids"] == search["query_camids"][query]))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), repeats=st.integers(1, 5))
def test_cmc_agrees_with_a_plain_loop_over_the_drawn_crops(seed: int, repeats: int) -> None:
    search, shot = drawn_search(seed), SingleShot(repeats, seed=3)
    identities = find_identities(Labels(search["gallery_pids"], search["gallery_camids"]), search["distances"].T)
    firsts = []
    for query, pid in enumerate(search["query_pids"]):
        for drawn in draw_shots(identities, junk_of(search, query), query, shot):
            crops = np.flatnonzero(drawn).tolist()
            hits = [g for g in crops if search["gallery_pids"][g] == pid]
            firsts += plain_ranks(search["distances"][query], hits, [g for g in crops if g not in hits])
    assume(firsts)
    scores = score_distances(**search, max_rank=6, single_gallery_shot=shot)
    np.testing.assert_allclose(
        scores.cmc, [np.mean([first <= k for first in firsts]) for k in range(1, 7)], rtol=0, atol=1e-12
    )
    assert scores.rank5 == scores.cmc[4]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_draw_takes_one_crop_of_each_person_and_every_distractor_and_no_junk(seed: int) -> None:
    search = drawn_search(seed)
    identities = find_identities(Labels(search["gallery_pids"], search["gallery_camids"]), search["distances"].T)
    junk = junk_of(search, 0)
    left = np.setdiff1d(np.arange(12), junk)
    for drawn in draw_shots(identities, junk, 0, SingleShot(4)):
        assert not drawn[junk].any()
        pids = search["gallery_pids"]
        assert sorted(pids[drawn & (pids >= 0)]) == sorted(set(pids[left][pids[left] >= 0]))
        assert drawn[pids == -1].all()


def test_many_draws_approach_the_mean_over_all_possible_galleries() -> None:
    distances = np.array([[0.1, 0.6, 0.3, 0.7, 0.5, 0.65]])
    pids = [1, 1, 2, 2, 3, 3]
    ranks = [
        1 + (b < a) + (c < a) for a, b, c in itertools.product(distances[0, :2], distances[0, 2:4], distances[0, 4:])
    ]
    scores = score_distances(
        distances, query_pids=[1], gallery_pids=pids, junk="none", single_gallery_shot=SingleShot(4000)
    )
    np.testing.assert_allclose(scores.cmc[:3], [np.mean([rank <= k for rank in ranks]) for k in (1, 2, 3)], atol=0.03)
    assert scores.cmc[0] < 0.9


def test_map_is_computed_on_the_whole_gallery() -> None:
    search = drawn_search(1)
    whole, single = score_distances(**search), score_distances(**search, single_gallery_shot=SingleShot())
    assert (single.mAP, single.mINP) == (whole.mAP, whole.mINP)
    assert single.rank1 != whole.rank1


def test_gallery_order_and_block_size_do_not_change_the_scores() -> None:
    rng = np.random.default_rng(5)
    pids, camids = rng.integers(-1, 12, 260), rng.integers(0, 3, 260)
    embeddings = unit_rows(rng.normal(size=(13, 48))[pids] + 1.2 * rng.normal(size=(260, 48)), "gallery")
    embeddings[200:230] = embeddings[100:130]
    found = []
    for order, block_size in ((np.arange(200), None), (rng.permutation(200), 7), (rng.permutation(200), 1)):
        rows = 60 + order
        found.append(
            score_embeddings(
                embeddings[:60],
                embeddings[rows],
                query_pids=pids[:60],
                query_camids=camids[:60],
                gallery_pids=pids[rows],
                gallery_camids=camids[rows],
                single_gallery_shot=SingleShot(5),
                block_size=block_size,
            ).cmc.tolist()
        )
    assert found[0] == found[1] == found[2]
    assert 0.2 < found[0][0] < 0.99


def test_a_gallery_of_one_crop_is_drawn_completely() -> None:
    scores = score_distances(
        np.arange(5.0)[:, None], query_pids=[1] * 5, gallery_pids=[1], junk="none", single_gallery_shot=SingleShot(3)
    )
    assert (scores.rank1, scores.cmc.shape) == (1.0, (50,))


@pytest.mark.parametrize("bounds", [(0, 30), (0, 1, 30), (0, 7, 11, 30)])
def test_distances_that_come_in_blocks_are_ranked_in_the_same_galleries(bounds: tuple[int, ...]) -> None:
    search, shot = drawn_search(4, num_query=30, num_gallery=40), SingleShot(3)
    query, gallery = (Labels(search[f"{side}_pids"], search[f"{side}_camids"]) for side in ("query", "gallery"))
    blocks = [search["distances"][first:last] for first, last in itertools.pairwise(bounds)]
    found = score_blocks(
        iter(blocks),
        find_matches(query, gallery, "same-camera"),
        shots=(find_identities(gallery, search["distances"].T), shot),
    )
    whole = score_distances(**search, single_gallery_shot=shot)
    assert (found.cmc.tolist(), found.mAP) == (whole.cmc.tolist(), whole.mAP)


def test_rounding_differences_draw_the_same_galleries() -> None:
    rng = np.random.default_rng(0)
    labels, embeddings = Labels(rng.integers(0, 4, 30)), unit_rows(rng.normal(size=(30, 16)), "gallery")
    otherwise = np.nextafter(embeddings, np.where(rng.random(embeddings.shape) < 0.5, -1, 1).astype(np.float32))
    drawn, again = (
        draw_shots(find_identities(labels, rows), np.empty(0, int), 0, SingleShot(5))
        for rows in (embeddings, otherwise)
    )
    assert not np.array_equal(embeddings, otherwise) and np.array_equal(drawn, again)


def test_another_seed_draws_other_galleries() -> None:
    search = drawn_search(2, num_query=30, num_gallery=60)
    assert (
        score_distances(**search, single_gallery_shot=SingleShot(1, seed=0)).cmc.tolist()
        != score_distances(**search, single_gallery_shot=SingleShot(1, seed=1)).cmc.tolist()
    )


def test_no_repeats_are_refused() -> None:
    with pytest.raises(ReidopsError, match="0 repeats, expected at least 1"):
        SingleShot(0)
