"""reidops/retrieval/ranked_results.py: the table and the sheets of every query agree with a plain sort."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from reidops.retrieval.ranked_results import write_ranked
from reidops.retrieval.ranking_sets import find_ranking_sets

NUM = 12


@pytest.fixture
def searched():
    """Return a crops table of three people and two cameras, its test set, its scores and embeddings."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "path": [f"imgs/person_{row % 3}/{row:06d}.jpg" for row in range(NUM)],
            "pid": np.arange(NUM) % 3,
            "camid": np.arange(NUM) // 6,
            "frame": 1,
            "split": ["query"] * 3 + ["gallery"] * (NUM - 3),
        }
    )
    embeddings = rng.normal(size=(NUM, 4)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    (test,) = find_ranking_sets(table)
    return table, test, test.score(embeddings, 5), embeddings


def test_every_query_has_its_nearest_crops_in_the_table_and_a_sheet(searched, tmp_path):
    table, test, scores, embeddings = searched
    store = SimpleNamespace(decode=lambda row: np.full((16, 8, 3), row, np.uint8))
    write_ranked(table, [(test, scores)], embeddings, store, tmp_path, 4)
    ranked = pd.read_parquet(tmp_path / "ranked" / "ranked.parquet")
    assert list(ranked.columns) == ["dataset", "query", "rank", "path", "distance", "correct"] and len(ranked) == 3 * 4
    for row in range(3):
        junk = (table["pid"] == row) & (table["camid"] == 0)
        distances = {i: 1 - embeddings[row] @ embeddings[i] for i in range(3, NUM) if not junk[i]}
        nearest = sorted(distances, key=distances.__getitem__)[:4]
        own = ranked[ranked["query"] == table["path"][row]]
        assert own["rank"].tolist() == [1, 2, 3, 4] and own["path"].tolist() == table["path"][nearest].tolist()
        assert own["correct"].tolist() == [table["pid"][i] == row for i in nearest]
        np.testing.assert_allclose(own["distance"], [distances[i] for i in nearest], atol=1e-6)
    sheets = sorted(path.name for path in (tmp_path / "ranked" / "toy").iterdir())
    assert sheets == [f"{row + 1:05d}_person_{row}_{row:06d}.jpg" for row in range(3)]
