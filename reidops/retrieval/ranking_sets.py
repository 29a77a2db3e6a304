"""Find the test sets of a crops table: queries, gallery and the junk rule of each."""

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
class RankingSet:
    """A test set: query and gallery rows of one data set, as positions in the crops table, with labels and rules.

    `num_trained_people` is the number of people in the queries who also train; above 0 it is a closed set.
    """

    name: str
    query: np.ndarray
    gallery: np.ndarray
    labels: SideLabels
    junk: str
    single_gallery_shot: SingleShot | None = None
    num_trained_people: int = 0

    def score(self, embeddings: np.ndarray, max_rank: int) -> RankingScores:
        """Return the scores of embeddings of the whole table, [len(table), dim]."""
        return score_embeddings(
            embeddings[self.query],
            embeddings[self.gallery],
            junk=self.junk,
            max_rank=max_rank,
            single_gallery_shot=self.single_gallery_shot,
            **self.labels,
        )

    def score_reranked(self, embeddings: np.ndarray, max_rank: int) -> RankingScores:
        """Return the scores after k-reciprocal re-ranking with the published constants.

        Single-gallery shots are drawn as in `score`.
        """
        query = check_labels("query", self.labels["query_pids"], self.labels["query_camids"])
        gallery = check_labels("gallery", self.labels["gallery_pids"], self.labels["gallery_camids"])
        blocks = reranked_blocks(embeddings[self.query], embeddings[self.gallery])
        shot = self.single_gallery_shot
        shots = (find_identities(gallery, embeddings[self.gallery]), shot) if shot else None
        return score_blocks(blocks, find_matches(query, gallery, self.junk), max_rank, shots=shots)

    def junk_mask(self, queries: np.ndarray) -> np.ndarray:
        """Return which gallery crops are junk for these queries, bool [len(queries), num_gallery]."""
        if self.junk == "none":
            return np.zeros((len(queries), len(self.gallery)), bool)
        one_person = self.labels["query_pids"][queries, None] == self.labels["gallery_pids"]
        return one_person & (self.labels["query_camids"][queries, None] == self.labels["gallery_camids"])


def find_ranking_sets(
    table: pd.DataFrame, junk: str = "auto", single_gallery_shot: Container[str] = ()
) -> list[RankingSet]:
    """Return the test sets of a crops table, sorted by name.

    Args:
        junk: `same-camera` or `none` for all sets. `auto` uses `same-camera` for sets in which most queries then have a
            match, and `none` for others, such as MOT scenes of one camera, which are split by time.
        single_gallery_shot: data sets whose CMC is computed on galleries of one drawn crop per person.

    Raises:
        ReidopsError: there is no test set, or one lacks queries or a gallery.
    """
    tests = table[table["split"].isin(["query", "gallery"])]
    if tests.empty:
        raise ReidopsError(
            "the crops table has no query and gallery rows; set download.test in params.yaml and run "
            "`dvc repro convert`"
        )
    trained = table.loc[table["split"] == "train", "pid"].unique()
    found = [_test_set(str(name), rows, junk, trained) for name, rows in tests.groupby("dataset", sort=True)]
    return [
        replace(test, single_gallery_shot=SingleShot()) if test.name in single_gallery_shot else test for test in found
    ]


def _test_set(name: str, rows: pd.DataFrame, junk: str, trained: np.ndarray) -> RankingSet:
    query, gallery = (rows[rows["split"] == split] for split in ("query", "gallery"))
    if query.empty or gallery.empty:
        raise ReidopsError(
            f"{name} has {len(query)} query and {len(gallery)} gallery crops, but a test set needs both; run "
            "`dvc repro -f convert`"
        )
    labels = side_labels(query, gallery)
    return RankingSet(
        name,
        query.index.to_numpy(),
        gallery.index.to_numpy(),
        labels,
        _choose_rule(labels) if junk == "auto" else junk,
        num_trained_people=len(np.intersect1d(labels["query_pids"], trained)),
    )


def side_labels(query: pd.DataFrame, gallery: pd.DataFrame) -> SideLabels:
    """Return the labels of query and gallery rows of a crops table."""
    return SideLabels(
        query_pids=query["pid"].to_numpy(),
        query_camids=query["camid"].to_numpy(),
        gallery_pids=gallery["pid"].to_numpy(),
        gallery_camids=gallery["camid"].to_numpy(),
    )


def _choose_rule(labels: SideLabels) -> str:
    query = check_labels("query", labels["query_pids"], labels["query_camids"])
    gallery = check_labels("gallery", labels["gallery_pids"], labels["gallery_camids"])
    unmatched = len(find_matches(query, gallery, "same-camera").unmatched)
    return "same-camera" if unmatched < len(query) / 2 else "none"
