"""The test sets of a crops table: who asks, who answers, under which rule."""

from collections.abc import Container
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reidops.errors import ReidopsError
from reidops.retrieval.matches import check_labels, find_matches
from reidops.retrieval.ranking import RankingScores, score_blocks, score_embeddings
from reidops.retrieval.reranking import reranked_blocks
from reidops.retrieval.single_shot import SingleShot, find_identities


@dataclass(frozen=True)
class TestSet:
    """Query and gallery rows of one data set, as positions in the crops table, their labels, and the rules that fit
    them.
    """

    __test__ = False  # no test case, whatever pytest thinks of the name

    name: str
    query: np.ndarray
    gallery: np.ndarray
    labels: dict[str, np.ndarray]
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
        identities = find_identities(gallery, embeddings[self.gallery]) if self.single_gallery_shot else None
        return score_blocks(
            blocks,
            find_matches(query, gallery, self.junk),
            max_rank,
            identities=identities,
            single_gallery_shot=self.single_gallery_shot,
        )

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
    labels = {
        f"{side}_{kind}s": part[kind].to_numpy()
        for side, part in (("query", query), ("gallery", gallery))
        for kind in ("pid", "camid")
    }
    return TestSet(
        name,
        query.index.to_numpy(),
        gallery.index.to_numpy(),
        labels,
        _fitting_rule(labels) if junk == "auto" else junk,
    )


def _fitting_rule(labels: dict[str, np.ndarray]) -> str:
    query = check_labels("query", labels["query_pids"], labels["query_camids"])
    gallery = check_labels("gallery", labels["gallery_pids"], labels["gallery_camids"])
    unmatched = len(find_matches(query, gallery, "same-camera").unmatched)
    return "same-camera" if unmatched < len(query) / 2 else "none"
