"""Ranking agrees with a plain loop for any order, block size and ties."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain import plain_scores
from threadpoolctl import threadpool_limits

from reidops.errors import ReidopsError
from reidops.retrieval.exact_counting import unit_rows
from reidops.retrieval.matches import Labels, find_matches
from reidops.retrieval.ranking import RankingScores, score_distances, score_embeddings

TOLERANCE = 1e-12


@st.composite
def small_searches(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Return a random search with many ties: few distances, people and cameras, and distractors among the pids."""
    num_query, num_gallery = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    num_people = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return {
        "distances": rng.integers(0, draw(st.integers(1, 6)), (num_query, num_gallery)).astype(np.float32) / 4,
        "query_pids": rng.integers(-1, num_people, num_query),
        "gallery_pids": rng.integers(-1, num_people, num_gallery),
        "query_camids": rng.integers(0, 3, num_query),
        "gallery_camids": rng.integers(0, 3, num_gallery),
        "query_frames": rng.integers(1, 20, num_query),
        "gallery_frames": rng.integers(1, 20, num_gallery),
        "mask": rng.random((num_query, num_gallery)) < 0.3,
    }


def junk_by_hand(search: dict[str, np.ndarray], rule: str, gap: int) -> np.ndarray:
    """Return the junk mask of a rule, computed pair by pair."""
    junk = np.zeros(search["distances"].shape, bool)
    for q, g in np.ndindex(junk.shape):
        one_camera = search["query_camids"][q] == search["gallery_camids"][g]
        one_person = search["query_pids"][q] == search["gallery_pids"][g] != -1
        near = abs(int(search["query_frames"][q]) - int(search["gallery_frames"][g])) < gap
        junk[q, g] = {"none": False, "same-camera": one_camera and one_person, "time-gap": one_camera and near}[rule]
    return junk


def assert_agree(scores: RankingScores, plain: dict[str, object]) -> None:
    """Compare every score with that of the plain loop."""
    assert scores.mAP == pytest.approx(plain["mAP"], abs=TOLERANCE)
    assert scores.mINP == pytest.approx(plain["mINP"], abs=TOLERANCE)
    np.testing.assert_allclose(scores.cmc, plain["cmc"], atol=TOLERANCE, rtol=0)
    assert scores.unmatched_queries.tolist() == plain["unmatched"]


def assert_same_bits(found: RankingScores, expected: RankingScores) -> None:
    """Compare every score with that of another search for exact equality."""
    for field in fields(RankingScores):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name), field.name)


@settings(max_examples=50, deadline=None)
@given(
    search=small_searches(),
    rule=st.sampled_from(["same-camera", "none", "time-gap"]),
    gap=st.integers(1, 12),
    max_rank=st.integers(1, 15),
)
def test_every_rule_agrees_with_a_plain_loop(search: dict[str, np.ndarray], rule: str, gap: int, max_rank: int) -> None:
    plain = plain_scores(
        search["distances"],
        search["query_pids"].tolist(),
        search["gallery_pids"].tolist(),
        junk_by_hand(search, rule, gap),
        max_rank,
    )
    arguments = {name: values for name, values in search.items() if name != "mask"} | {
        "junk": rule,
        "gap": gap,
        "max_rank": max_rank,
    }
    if len(plain["unmatched"]) == len(search["query_pids"]):
        with pytest.raises(ReidopsError, match="none of"):
            score_distances(**arguments)
    else:
        assert_agree(score_distances(**arguments), plain)


@settings(max_examples=50, deadline=None)
@given(search=small_searches())
def test_a_mask_agrees_with_a_plain_loop(search: dict[str, np.ndarray]) -> None:
    pids = {"query_pids": search["query_pids"], "gallery_pids": search["gallery_pids"]}
    plain = plain_scores(
        search["distances"], pids["query_pids"].tolist(), pids["gallery_pids"].tolist(), search["mask"], 5
    )
    assume(len(plain["unmatched"]) < len(pids["query_pids"]))
    assert_agree(score_distances(search["distances"], junk=search["mask"], max_rank=5, **pids), plain)


@settings(max_examples=50, deadline=None)
@given(search=small_searches(), dim=st.integers(1, 6), block_size=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_embeddings_agree_with_a_plain_loop_in_any_blocks_and_any_order(
    search: dict[str, np.ndarray], dim: int, block_size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    query, gallery = (
        unit_rows(rng.integers(0, 2, (len(search[f"{side}_pids"]), dim)) + 0.5, side) for side in ("query", "gallery")
    )
    products = (query.astype(np.float64)[:, None, :] * gallery.astype(np.float64)[None]).sum(axis=2)
    plain = plain_scores(-products, search["query_pids"].tolist(), search["gallery_pids"].tolist(), search["mask"], 10)
    assume(len(plain["unmatched"]) < len(search["query_pids"]))
    shuffled = rng.permutation(len(gallery))
    scores = score_embeddings(
        query,
        gallery[shuffled],
        query_pids=search["query_pids"],
        gallery_pids=search["gallery_pids"][shuffled],
        junk=search["mask"][:, shuffled],
        max_rank=10,
        block_size=block_size,
    )
    assert_agree(scores, plain)


def test_block_size_and_order_do_not_change_the_scores_of_a_large_search() -> None:
    rng = np.random.default_rng(1)
    people = rng.normal(size=(20, 96))
    pids = rng.integers(0, 20, 700)
    embeddings = unit_rows(people[pids] + 1.5 * rng.normal(size=(700, 96)), "gallery")
    embeddings[500:600] = embeddings[:100]  # so that many products tie, and their last bits are all that differs
    labels = {"query_pids": pids[:200], "query_camids": np.arange(200) % 3}
    shuffled = rng.permutation(500)
    found = [
        score_embeddings(
            embeddings[:200],
            embeddings[200:][order],
            gallery_pids=pids[200:][order],
            gallery_camids=(np.arange(500) % 3)[order],
            block_size=block,
            **labels,
        )
        for order, block in ((np.arange(500), None), (np.arange(500), 1), (shuffled, 7), (shuffled, 64))
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other.average_precisions, found[0].average_precisions)
        np.testing.assert_array_equal(other.cmc, found[0].cmc)
    assert 0.2 < found[0].mAP < 0.95


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_people=st.integers(1, 5),
    num_copies=st.integers(0, 25),
    dim=st.integers(1, 40),
    block_size=st.integers(1, 20),
    threads=st.sampled_from([1, 2]),
)
def test_order_blocks_and_threads_do_not_change_the_scores(
    seed: int, num_people: int, num_copies: int, dim: int, block_size: int, threads: int
) -> None:
    rng = np.random.default_rng(seed)
    pids, camids = rng.integers(-1, num_people, 70), rng.integers(0, 3, 70)
    # neither float32 nor of length 1
    embeddings = 3 * rng.normal(size=(num_people + 1, dim))[pids] + rng.normal(size=(70, dim))
    embeddings[rng.integers(20, 70, num_copies)] = embeddings[rng.integers(0, 20, num_copies)]
    order = rng.permutation(50) + 20
    query = {"query_pids": pids[:20], "query_camids": camids[:20]}
    assume(
        find_matches(Labels(pids[:20], camids[:20]), Labels(pids[20:], camids[20:]), "same-camera").positives.index.size
    )
    whole = score_embeddings(
        embeddings[:20], embeddings[20:], gallery_pids=pids[20:], gallery_camids=camids[20:], **query
    )
    with threadpool_limits(threads):
        other = score_embeddings(
            embeddings[:20],
            embeddings[order],
            gallery_pids=pids[order],
            gallery_camids=camids[order],
            block_size=block_size,
            **query,
        )
    assert_same_bits(other, whole)


def test_one_or_two_threads_give_equal_scores() -> None:
    rng = np.random.default_rng(6)
    pids, camids = rng.integers(0, 40, 2600), rng.integers(0, 4, 2600)
    embeddings = unit_rows(rng.normal(size=(40, 256))[pids] + 2 * rng.normal(size=(2600, 256)), "crops")
    embeddings[2000:2600] = embeddings[600:1200]
    labels = {
        "query_pids": pids[:600],
        "query_camids": camids[:600],
        "gallery_pids": pids[600:],
        "gallery_camids": camids[600:],
    }
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(score_embeddings(embeddings[:600], embeddings[600:], **labels))
    assert_same_bits(*found)
    assert 0.2 < found[0].mAP < 0.95


@pytest.mark.parametrize("junk", ["none", "time-gap"])
def test_a_collapsed_network_ranks_every_match_last(junk: str) -> None:
    rng = np.random.default_rng(0)
    pids, frames = np.repeat(np.arange(5), 4), np.tile([1, 50, 100, 150], 5)
    crops = np.repeat(unit_rows(rng.normal(size=(1, 512)), "row"), 20, axis=0)
    columns = {"pids": pids, "camids": 0 * pids, "frames": frames}
    labels = {f"{side}_{name}": values for side in ("query", "gallery") for name, values in columns.items()}
    rule = np.eye(20, dtype=bool) if junk == "none" else junk
    # a time gap of 25 frames also leaves out the other people of the query's frame
    num_others = 16 if junk == "none" else 12
    scores = score_embeddings(crops, crops, junk=rule, gap=25, **labels)
    assert scores.first_ranks.tolist() == [num_others + 1] * 20
    assert (scores.rank1, scores.num_tied_hits) == (0, 60)
    assert scores.mAP == pytest.approx(np.mean([i / (num_others + i) for i in (1, 2, 3)]), abs=TOLERANCE)


def test_equal_embeddings_tie_although_float32_products_differ() -> None:
    rng = np.random.default_rng(2)
    row = unit_rows(rng.normal(size=(1, 512)), "row")
    gallery = np.repeat(row, 40, axis=0)
    query = unit_rows(row + 0.2 * rng.normal(size=(1, 512)), "query")
    scores = score_embeddings(query, gallery, query_pids=[7], gallery_pids=[7] * 3 + [8] * 37, junk="none")
    assert (scores.first_ranks.tolist(), scores.num_tied_hits) == ([38], 3)
    assert scores.mAP == pytest.approx((1 / 38 + 2 / 39 + 3 / 40) / 3, abs=TOLERANCE)
    gallery[0] = query[0]
    assert (
        score_embeddings(query, gallery, query_pids=[7], gallery_pids=[7] * 3 + [8] * 37, junk="none").num_tied_hits
        == 2
    )


def test_hits_at_ranks_1_3_and_4_give_the_textbook_average_precision() -> None:
    scores = score_distances(
        np.array([[0.1, 0.2, 0.3, 0.4, 0.5]]), query_pids=[1], gallery_pids=[1, 2, 1, 1, 2], junk="none", max_rank=5
    )
    assert scores.mAP == pytest.approx((1 + 2 / 3 + 3 / 4) / 3, abs=TOLERANCE)
    assert scores.mINP == pytest.approx(3 / 4, abs=TOLERANCE)
    assert scores.cmc.tolist() == [1, 1, 1, 1, 1]
    assert scores.num_tied_hits == 0


def test_the_same_camera_rule_leaves_out_only_crops_of_the_querys_camera() -> None:
    scores = score_distances(
        np.array([[0.0, 0.1, 0.2, 0.3]]),
        query_pids=[1],
        gallery_pids=[1, 2, 1, 3],
        query_camids=[1],
        gallery_camids=[1, 1, 2, 2],
    )
    assert scores.first_ranks.tolist() == [2]  # behind person 2, whom camera 1 saw: not junk


def test_positives_at_one_distance_have_successive_ranks_after_other_people_at_it() -> None:
    scores = score_distances(np.array([[0.1, 0.5, 0.5, 0.5]]), query_pids=[1], gallery_pids=[2, 1, 3, 1], junk="none")
    assert scores.mAP == pytest.approx((1 / 3 + 2 / 4) / 2, abs=TOLERANCE)
    assert scores.mINP == pytest.approx(2 / 4, abs=TOLERANCE)
    assert scores.num_tied_hits == 2


def test_a_time_gap_leaves_out_neighbours_in_time_of_any_person() -> None:
    scores = score_distances(
        np.array([[0.1, 0.2, 0.3, 0.4]]),
        query_pids=[1],
        gallery_pids=[2, 1, 2, 1],
        query_camids=[0],
        gallery_camids=[0, 0, 0, 0],
        query_frames=[100],
        gallery_frames=[101, 90, 110, 200],
        junk="time-gap",
        gap=11,
    )
    assert scores.mAP == 1.0  # frames 90, 101 and 110 are less than 11 away


def test_a_distractor_has_no_match_not_even_another_distractor() -> None:
    scores = score_distances(np.array([[0.1, 0.2], [0.1, 0.2]]), query_pids=[-1, 5], gallery_pids=[-1, 5], junk="none")
    assert scores.unmatched_queries.tolist() == [0]
    assert scores.first_ranks.tolist() == [0, 2]


def test_unmatched_queries_are_counted_and_left_out_of_means() -> None:
    scores = score_distances(np.array([[0.1, 0.2], [0.1, 0.2]]), query_pids=[1, 9], gallery_pids=[1, 2], junk="none")
    assert (scores.num_query, scores.num_unmatched_queries, scores.mAP) == (2, 1, 1.0)
    assert np.isnan(scores.average_precisions).tolist() == [False, True]
    assert scores.figures()["num_unmatched_queries"] == 1


def test_the_length_of_embeddings_does_not_change_the_ranking() -> None:
    labels = {"query_pids": [1], "gallery_pids": [1, 2], "junk": "none"}
    near_and_long, far_and_short = [30.0, 3.0], [0.01, 0.02]
    assert score_embeddings(np.array([[1.0, 0.0]]), np.array([near_and_long, far_and_short]), **labels).rank1 == 1.0


def test_an_infinite_distance_ranks_last() -> None:
    scores = score_distances(np.array([[np.inf, 0.5, np.inf]]), query_pids=[1], gallery_pids=[1, 2, 3], junk="none")
    assert (scores.first_ranks.tolist(), scores.num_tied_hits) == ([3], 1)
