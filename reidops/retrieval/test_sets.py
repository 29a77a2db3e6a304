"""The test sets of a crops table: who asks, who answers, under which rule."""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.retrieval.matches import check_labels, find_matches
from reidops.retrieval.ranking import RankingScores, score_blocks, score_embeddings
from reidops.retrieval.reranking import reranked_blocks
from reidops.retrieval.single_shot import SingleShot, find_identities


class SideLabels(TypedDict):
    """The people and the cameras of query and gallery crops, [num_query] and [num_gallery]."""

    query_pids: np.ndarray
    query_camids: np.ndarray
    gallery_pids: np.ndarray
    gallery_camids: np.ndarray


@dataclass(frozen=True)
class TestSet:
    """Query and gallery rows of one data set, as positions in the crops table, their labels, and the rules that fit
    them.
    """

    __test__ = False  # no test case, whatever pytest thinks of the name

    name: str
    query: np.ndarray
    gallery: np.ndarray
    labels: SideLabels
    junk: str
    single_gallery_shot: SingleShot | None = None

    def score(self, embeddings: np.ndarray, max_rank: int) -> RankingScores:
        """Rank with the embeddings of the whole table, [len(table), dim]."""
        return score_embeddings(
            embeddings[self.query],
            embeddings[self.gallery],
            junk=self.junk,
            max_rank=max_rank,
            single_gallery_shot=self.single_gallery_shot,
            **self.labels,
        )

    def score_reranked(self, embeddings: np.ndarray, max_rank: int) -> RankingScores:
        """Rank with k-reciprocal re-ranking, at the published constants; one crop per person is drawn as `score` draws
        it.
        """
        query = check_labels("query", self.labels["query_pids"], self.labels["query_camids"])
        gallery = check_labels("gallery", self.labels["gallery_pids"], self.labels["gallery_camids"])
        blocks = reranked_blocks(embeddings[self.query], embeddings[self.gallery])
        shot = self.single_gallery_shot
        shots = (find_identities(gallery, embeddings[self.gallery]), shot) if shot else None
        return score_blocks(blocks, find_matches(query, gallery, self.junk), max_rank, shots=shots)

    def junk_mask(self, queries: np.ndarray) -> np.ndarray:
        """Return which gallery crops the ranking of some queries leaves out, bool [len(queries), num_gallery]."""
        if self.junk == "none":
            return np.zeros((len(queries), len(self.gallery)), bool)
        one_person = self.labels["query_pids"][queries, None] == self.labels["gallery_pids"]
        return one_person & (self.labels["query_camids"][queries, None] == self.labels["gallery_camids"])


def find_test_sets(table: pd.DataFrame, junk: str = "auto", single_gallery_shot: Container[str] = ()) -> list[TestSet]:
    """Return the data sets of a crops table that have queries and a gallery, by name.

    Args:
        junk: `same-camera` or `none` for all of them; `auto` takes the camera rule where it leaves most queries a
            match, as in sets of several cameras, and none where it does not: a MOT scene is one camera, its split is by
            time already.
        single_gallery_shot: the data sets whose CMC is counted in galleries of one drawn crop per person.

    Raises:
        ReidopsError: there is no such data set, or one has queries only.
    """
    tests = table[table["split"].isin(["query", "gallery"])]
    if tests.empty:
        raise ReidopsError(
            "the crops table has no query and gallery rows; name a test set in params.yaml, section download, and "
            "convert again"
        )
    found = [_test_set(str(name), rows, junk) for name, rows in tests.groupby("dataset", sort=True)]
    return [
        replace(test, single_gallery_shot=SingleShot()) if test.name in single_gallery_shot else test for test in found
    ]


def _test_set(name: str, rows: pd.DataFrame, junk: str) -> TestSet:
    query, gallery = (rows[rows["split"] == split] for split in ("query", "gallery"))
    if query.empty or gallery.empty:
        raise ReidopsError(
            f"{name}: {len(query)} query and {len(gallery)} gallery crops; a test set needs both, convert it again"
        )
    labels = side_labels(query, gallery)
    return TestSet(
        name,
        query.index.to_numpy(),
        gallery.index.to_numpy(),
        labels,
        _fitting_rule(labels) if junk == "auto" else junk,
    )


def side_labels(query: pd.DataFrame, gallery: pd.DataFrame) -> SideLabels:
    """Return the labels of query and gallery rows of a crops table."""
    return SideLabels(
        query_pids=query["pid"].to_numpy(),
        query_camids=query["camid"].to_numpy(),
        gallery_pids=gallery["pid"].to_numpy(),
        gallery_camids=gallery["camid"].to_numpy(),
    )


def _fitting_rule(labels: SideLabels) -> str:
    query = check_labels("query", labels["query_pids"], labels["query_camids"])
    gallery = check_labels("gallery", labels["gallery_pids"], labels["gallery_camids"])
    unmatched = len(find_matches(query, gallery, "same-camera").unmatched)
    return "same-camera" if unmatched < len(query) / 2 else "none"
