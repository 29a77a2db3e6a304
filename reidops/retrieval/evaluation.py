"""One embedder on the test sets of a crops table: embed, pool, rank, name what was found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reidops.embedding.collapse import find_collapse
from reidops.embedding.embedder import Embedder
from reidops.embedding.held_out import CheckpointPeople, fit_the_gate
from reidops.embedding.images import CropStore
from reidops.errors import ReidopsError
from reidops.retrieval.crop_distances import Crops
from reidops.retrieval.crop_embedding import embed_row_colours, embed_rows
from reidops.retrieval.pooling import find_tracklets
from reidops.retrieval.ranking import RankingScores
from reidops.retrieval.test_sets import TestSet

HISTOGRAM = "colour_histogram"


@dataclass(frozen=True)
class EmbeddedTests:
    """Test sets with the embeddings and the colour histograms of the whole crops table, [len(table), dim], zeros where
    not asked for.
    """

    tests: Sequence[TestSet]
    embeddings: np.ndarray
    colours: np.ndarray


def embed_tests(
    embedder: Embedder,
    store: CropStore,
    table: pd.DataFrame,
    tests: Sequence[TestSet],
    *,
    pool: str = "auto",
    views: int = 1,
    batch_size: int = 64,
) -> EmbeddedTests:
    """Return the test sets embedded; those of tracklets with one vector and one crop for each tracklet.

    Args:
        pool: mean or max of a tracklet's crops, none to rank crops; auto = mean.
        views: of each crop, see `embed_rows`.
    """
    tests, tracklets = find_tracklets(table, tests, pooled=pool != "none")
    rows = tracklets.rows
    embeddings, colours = embed_rows(embedder, store, rows, batch_size, views), embed_row_colours(store, rows)
    return EmbeddedTests(tests, tracklets.pool(embeddings, pool), tracklets.pool(colours, pool))


def refuse_collapsed(embedded: EmbeddedTests) -> None:
    """Check that the model's embeddings tell the crops of each test set apart.

    Raises:
        ReidopsError: the embeddings of a test set have collapsed (`reidops/embedding/collapse.py`); says how.
    """
    for test in embedded.tests:
        collapse = find_collapse(embedded.embeddings[np.concatenate([test.query, test.gallery])])
        if collapse:
            raise ReidopsError(
                f"{test.name}: the network has collapsed on the test crops ({collapse}): no ranking or gate of it "
                f"means anything;"
                " train again with a lower train.learning_rate or a longer train.warmup_epochs, or name another file "
                "in train.weights"
            )


def score_tests(embedded: EmbeddedTests, *, max_rank: int, rerank: bool) -> dict[str, RankingScores]:
    """Return the scores of each test set by its name, then the colour histogram's, then re-ranked ones where asked
    for.
    """
    tests = embedded.tests
    scores = {test.name: test.score(embedded.embeddings, max_rank) for test in tests}
    scores |= {name_of_histogram(test, tests): test.score(embedded.colours, max_rank) for test in tests}
    if rerank:
        scores |= {f"{test.name}_reranked": test.score_reranked(embedded.embeddings, max_rank) for test in tests}
    return scores


def name_of_histogram(test: TestSet, tests: Sequence[TestSet]) -> str:
    """Return the name of the colour histogram's figures on a test set; it bears the set's where there are several."""
    return HISTOGRAM if len(tests) == 1 else f"{HISTOGRAM}_{test.name}"


def crops_to_calibrate(table: pd.DataFrame, embedder: Embedder, store: CropStore, batch_size: int) -> Crops:
    """Return the held-out people who fit the gate, embedded: never trained on, never ranked, never tracked."""
    rows = np.flatnonzero(fit_the_gate(table, checkpoint_people_of(embedder)))
    embeddings = embed_rows(embedder, store, rows, batch_size)[rows]
    columns = ("pid", "camid", "frame", "visibility", "height")
    return Crops(embeddings, *(table[name].to_numpy()[rows] for name in columns))


def checkpoint_people_of(embedder: Embedder) -> CheckpointPeople:
    """Return which of the held-out people chose the embedder's checkpoint, as its embedder.json says."""
    return embedder.description.trained_on.get("checkpoint_people", "all")
