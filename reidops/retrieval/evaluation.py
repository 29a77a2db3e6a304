"""Evaluate one embedder on the test sets of a crops table: embed the crops, pool tracklets and rank the galleries."""

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
from reidops.retrieval.ranking_sets import RankingSet

HISTOGRAM = "colour_histogram"


@dataclass(frozen=True)
class EmbeddedTests:
    """Test sets with embeddings and colour histograms, [len(table), dim] each; zeros for rows outside the test sets."""

    tests: Sequence[RankingSet]
    embeddings: np.ndarray
    colours: np.ndarray


def embed_tests(
    embedder: Embedder,
    store: CropStore,
    table: pd.DataFrame,
    tests: Sequence[RankingSet],
    *,
    pool: str = "auto",
    views: int = 1,
    batch_size: int = 64,
) -> EmbeddedTests:
    """Return the embedded test sets; sets of tracklets have one vector and one crop per tracklet.

    Args:
        pool: mean or max of a tracklet's crops, or none to rank single crops; auto = as in the training of the
            embedder, mean if it was not trained on tracklets.
        views: number of views of each crop, see `embed_rows`.
    """
    tests, tracklets = find_tracklets(table, tests, pooled=pool != "none")
    pool = _trained_pool(embedder) if pool == "auto" else pool
    rows = tracklets.rows
    embeddings, colours = embed_rows(embedder, store, rows, batch_size, views), embed_row_colours(store, rows)
    return EmbeddedTests(tests, tracklets.pool(embeddings, pool), tracklets.pool(colours, pool))


def refuse_collapsed(embedded: EmbeddedTests) -> None:
    """Check that the embeddings of each test set have not collapsed.

    Raises:
        ReidopsError: the embeddings of a test set have collapsed (`reidops/embedding/collapse.py`).
    """
    for test in embedded.tests:
        collapse = find_collapse(embedded.embeddings[np.concatenate([test.query, test.gallery])])
        if collapse:
            raise ReidopsError(
                f"{test.name}: the embeddings of the test crops have collapsed ({collapse}), so that rankings and "
                "gates are meaningless; train again with a lower train.learning_rate or a longer train.warmup_epochs, "
                "or set another file in train.weights"
            )


def score_tests(embedded: EmbeddedTests, *, max_rank: int, rerank: bool) -> dict[str, RankingScores]:
    """Return the scores by name: each test set, its colour histogram, and with `rerank` also re-ranked scores."""
    tests = embedded.tests
    scores = {test.name: test.score(embedded.embeddings, max_rank) for test in tests}
    scores |= {name_of_histogram(test, tests): test.score(embedded.colours, max_rank) for test in tests}
    if rerank:
        scores |= {f"{test.name}_reranked": test.score_reranked(embedded.embeddings, max_rank) for test in tests}
    return scores


def name_of_histogram(test: RankingSet, tests: Sequence[RankingSet]) -> str:
    """Return the name of the colour histogram's scores; with several test sets it includes the set's name."""
    return HISTOGRAM if len(tests) == 1 else f"{HISTOGRAM}_{test.name}"


def crops_to_calibrate(table: pd.DataFrame, embedder: Embedder, store: CropStore, batch_size: int) -> Crops:
    """Return the embedded crops of held-out people for the gate, who are not in training, test or tracking sets."""
    rows = np.flatnonzero(fit_the_gate(table, checkpoint_people_of(embedder)))
    embeddings = embed_rows(embedder, store, rows, batch_size)[rows]
    columns = ("pid", "camid", "frame", "visibility", "height")
    return Crops(embeddings, *(table[name].to_numpy()[rows] for name in columns))


def _trained_pool(embedder: Embedder) -> str:
    return embedder.description.trained_on.get("tracklets", {}).get("pool", "mean")


def checkpoint_people_of(embedder: Embedder) -> CheckpointPeople:
    """Return which held-out people the checkpoint was chosen on, from the embedder's embedder.json."""
    return embedder.description.trained_on.get("checkpoint_people", "all")
