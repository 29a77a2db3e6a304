"""Write the nearest gallery crops of every query: a table, and a sheet per query."""

from pathlib import Path

import numpy as np
import pandas as pd

from reidops.embedding.images import CropStore
from reidops.progress_bar import progress_bar
from reidops.retrieval.galleries import RankedRow, draw_galleries, nearest_rows
from reidops.retrieval.ranking import RankingScores
from reidops.retrieval.ranking_sets import RankingSet

FOLDER, TABLE = "ranked", "ranked.parquet"


def ranked_row(test: RankingSet, query: int, scores: RankingScores, embeddings: np.ndarray, number: int) -> RankedRow:
    """Return the nearest gallery crops of one query, without junk.

    Args:
        query: position in the test set's queries.
        embeddings: of the whole crops table, [len(table), dim].
    """
    junk = test.junk_mask(np.array([query]))[0]
    found, distances = nearest_rows(embeddings[test.query[query]], embeddings[test.gallery], junk, number)
    return RankedRow(
        caption=f"AP {scores.average_precisions[query]:.2f}",
        query=int(test.query[query]),
        found=test.gallery[found],
        distances=distances,
        is_right=test.labels["gallery_pids"][found] == test.labels["query_pids"][query],
    )


def tabulate_ranked(table: pd.DataFrame, name: str, rows: list[RankedRow]) -> pd.DataFrame:
    """Return `dataset`, `query`, `rank` (from 1), `path`, `distance` and `correct`, one row per query and rank.

    `query` and `path` are paths in crops.tar.
    """
    paths = table["path"].to_numpy()
    lengths = [len(row.found) for row in rows]
    return pd.DataFrame(
        {
            "dataset": name,
            "query": np.repeat(paths[[row.query for row in rows]], lengths),
            "rank": np.concatenate([np.arange(1, length + 1) for length in lengths]),
            "path": paths[np.concatenate([row.found for row in rows])],
            "distance": np.concatenate([row.distances for row in rows]).astype(np.float32),
            "correct": np.concatenate([row.is_right for row in rows]),
        }
    )


def write_ranked(
    table: pd.DataFrame,
    tests: list[tuple[RankingSet, RankingScores]],
    embeddings: np.ndarray,
    store: CropStore,
    folder: Path,
    number: int,
) -> None:
    """Write `folder`/ranked/ranked.parquet and a sheet of the `number` nearest crops of each query."""
    frames = []
    for test, scores in tests:
        rows = [ranked_row(test, query, scores, embeddings, number) for query in range(len(test.query))]
        frames.append(tabulate_ranked(table, test.name, rows))
        sheets = folder / FOLDER / test.name
        sheets.mkdir(parents=True)
        for place, row in enumerate(progress_bar(rows, desc=f"draw ranks of {test.name}", unit="queries"), start=1):
            path = str(table["path"].iloc[row.query])
            name = f"{place:05d}_{Path(path).parent.name}_{Path(path).stem}.jpg"
            draw_galleries(path, {row.caption: [row]}, store.decode, sheets / name)
    pd.concat(frames, ignore_index=True).to_parquet(folder / FOLDER / TABLE, index=False)
