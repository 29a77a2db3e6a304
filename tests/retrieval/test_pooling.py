"""Tracklets are sampled evenly and pooled to unit vectors; crops without a tracklet do not change."""

import numpy as np
import pandas as pd
import pytest

from reidops.retrieval.pooling import find_tracklets
from reidops.retrieval.ranking_sets import RankingSet


def table_of(*tracklets: tuple[int, int]) -> pd.DataFrame:
    """Return rows of (tracklet, number of crops), each one's pid its tracklet's tens, its frames descending."""
    rows = [
        {"tracklet": tracklet, "pid": tracklet // 10, "camid": 0, "frame": number - i}
        for tracklet, number in tracklets
        for i in range(number)
    ]
    return pd.DataFrame(rows)


def as_test(table: pd.DataFrame, query: np.ndarray) -> RankingSet:
    rows = np.arange(len(table))
    labels = {
        f"{side}_{kind}s": table[kind].to_numpy()[chosen]
        for side, chosen in (("query", query), ("gallery", ~query))
        for kind in ("pid", "camid")
    }
    return RankingSet("toy", rows[query], rows[~query], labels, "none")


def test_a_long_tracklet_is_sampled_at_fifteen_evenly_spaced_frames_and_a_short_one_at_all() -> None:
    table = table_of((10, 43), (11, 4))
    _, tracklets = find_tracklets(table, [as_test(table, table["tracklet"].to_numpy() == 10)])
    assert tracklets.starts.tolist() == [0, 15]
    assert table["frame"].to_numpy()[tracklets.rows[:15]].tolist() == list(range(1, 44, 3))
    assert table["frame"].to_numpy()[tracklets.rows[15:]].tolist() == [1, 2, 3, 4]
    assert table["frame"].to_numpy()[tracklets.middles].tolist() == [22, 3]


def test_a_tracklet_is_pooled_to_the_unit_mean_or_maximum_and_other_rows_are_unchanged() -> None:
    table = table_of((10, 2), (11, 1), (20, 3))
    tests, tracklets = find_tracklets(table, [as_test(table, table["tracklet"].to_numpy() == 10)])
    embeddings = np.random.default_rng(0).normal(size=(len(table), 4)).astype(np.float32)
    before = embeddings.copy()
    for how, together in (("mean", np.mean), ("auto", np.mean), ("max", np.max)):
        pooled = tracklets.pool(embeddings, how)
        for tracklet, row in zip((10, 11, 20), tracklets.middles, strict=True):
            expected = together(embeddings[table["tracklet"] == tracklet], axis=0)
            assert pooled[row] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
        others = np.setdiff1d(np.arange(len(table)), tracklets.middles)
        assert np.array_equal(pooled[others], embeddings[others])
    assert np.array_equal(embeddings, before)
    assert tests[0].labels["gallery_pids"].tolist() == [1, 2]
    assert tests[0].query.tolist() == tracklets.middles[:1].tolist()


def test_single_crops_are_not_pooled() -> None:
    table = table_of((-1, 3), (-1, 2))
    test = as_test(table, np.arange(5) < 2)
    tests, tracklets = find_tracklets(table, [test])
    embeddings = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    assert tracklets.pool(embeddings, "auto") is embeddings
    assert (tests[0].query.tolist(), tests[0].gallery.tolist()) == ([0, 1], [2, 3, 4])
    assert tracklets.rows.tolist() == [0, 1, 2, 3, 4]


def test_a_tracklet_in_query_and_gallery_is_two_tracklets() -> None:
    table = table_of((10, 2), (10, 2))  # DukeMTMC-VideoReID has the queries in the gallery once more
    tests, tracklets = find_tracklets(table, [as_test(table, np.arange(4) < 2)])
    assert (len(tests[0].query), len(tests[0].gallery), len(tracklets.middles)) == (1, 1, 2)


def test_sets_of_tracklets_and_of_crops_can_be_combined() -> None:
    table = table_of((10, 2), (11, 2), (-1, 2))
    of_tracklets, of_crops = (
        RankingSet(name, np.array(rows[:half]), np.array(rows[half:]), {}, "none")
        for name, rows, half in (("video", [0, 1, 2, 3], 2), ("crops", [4, 5], 1))
    )
    tests, _ = find_tracklets(table, [of_tracklets, of_crops])
    assert [(len(test.query), len(test.gallery)) for test in tests] == [(1, 1), (1, 1)]
    tests, tracklets = find_tracklets(table, [of_tracklets, of_crops], pooled=False)
    assert [(len(test.query), len(test.gallery)) for test in tests] == [(2, 2), (1, 1)]
    assert len(tracklets.rows) == len(tracklets.middles) == 6
