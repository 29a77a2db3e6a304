"""Pictures and tables of an evaluation agree with its scores."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reidops.retrieval import report
from reidops.retrieval.exact_counting import unit_rows
from reidops.retrieval.galleries import RankedRow
from reidops.retrieval.pictures import draw_cmc
from reidops.retrieval.ranking_sets import RankingSet, find_ranking_sets


@pytest.fixture
def searched() -> tuple[pd.DataFrame, RankingSet, np.ndarray]:
    """Return a crops table of six people and two cameras, its test set, and embeddings that find some of them."""
    rng = np.random.default_rng(2)
    pids = np.tile(np.arange(6), 10)
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "path": [f"{row}.jpg" for row in range(60)],
            "pid": pids,
            "camid": np.arange(60) % 4 // 2,
            "frame": 1,
            "split": np.where(np.arange(60) < 18, "query", "gallery"),
        }
    )
    return (
        table,
        find_ranking_sets(table)[0],
        unit_rows(rng.normal(size=(6, 8))[pids] + 1.5 * rng.normal(size=(60, 8)), "crops"),
    )


def test_the_drawn_galleries_are_the_ranked_ones(
    searched: tuple[pd.DataFrame, RankingSet, np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table, test, embeddings = searched
    pictured: list[RankedRow] = []
    monkeypatch.setattr(
        report, "draw_galleries", lambda title, sections, decode, path: pictured.extend(sum(sections.values(), []))
    )
    scores = test.score(embeddings, 50)

    class NoStore:
        decode = None

    report.draw_test_set(test, scores, embeddings, NoStore(), tmp_path, num_rows=3, num_columns=42)
    assert len(pictured) == 9 and len({row.query for row in pictured}) > 5
    for row in pictured:
        pid, camid = table["pid"][row.query], table["camid"][row.query]
        shown = table.loc[row.found]
        assert not ((shown["pid"] == pid) & (shown["camid"] == camid)).any() and (shown["split"] == "gallery").all()
        np.testing.assert_array_equal(row.is_right, shown["pid"] == pid)
        np.testing.assert_allclose(row.distances, 1 - embeddings[row.found] @ embeddings[row.query], atol=1e-6)
        query = int(np.flatnonzero(test.query == row.query)[0])
        ranks = 1 + np.flatnonzero(row.is_right)
        assert ranks[0] == scores.first_ranks[query]
        assert row.caption == f"AP {np.mean(np.arange(1, len(ranks) + 1) / ranks):.2f}"


def test_the_means_of_the_table_of_queries_are_the_scores(
    searched: tuple[pd.DataFrame, RankingSet, np.ndarray], tmp_path: Path
) -> None:
    table, test, embeddings = searched
    scores = {"toy": test.score(embeddings, 10)}
    report.write_queries(table, [test], scores, tmp_path / "queries.csv")
    written = pd.read_csv(tmp_path / "queries.csv")
    assert written["path"].tolist() == table["path"][test.query].tolist()
    assert written["average_precision"].mean() == pytest.approx(scores["toy"].mAP, abs=1e-6)
    assert (written["first_rank"] <= 5).mean() == pytest.approx(scores["toy"].rank5)


def test_a_closed_set_states_how_many_queried_people_train(
    searched: tuple[pd.DataFrame, RankingSet, np.ndarray],
) -> None:
    table, test, embeddings = searched
    also = pd.concat([table, table[table["pid"] < 2].assign(split="train")], ignore_index=True)
    (closed,) = find_ranking_sets(also)
    scores = {"toy": test.score(embeddings, 10)}
    none = pd.DataFrame({"rank1": []})
    assert "num_trained_people" not in report.figures(scores, none, [test])["toy"]
    assert report.figures(scores, none, [closed])["toy"]["num_trained_people"] == 2


def test_the_plot_has_a_cmc_curve_for_each_ranking_of_each_test_set() -> None:
    curves = {
        "near": {"embedder": np.array([0.5, 0.75]), "colour histogram": np.array([0.25, 0.5])},
        "far": {"embedder": np.array([0.1, 0.2])},
    }
    lines = draw_cmc(curves).axes[0].lines
    assert [line.get_ydata().tolist() for line in lines] == [[0.5, 0.75], [0.25, 0.5], [0.1, 0.2]]
    assert [line.get_label() for line in lines] == [
        "near, embedder (rank1 0.500)",
        "near, colour histogram (rank1 0.250)",
        "far, embedder (rank1 0.100)",
    ]
