"""One embedder on the test sets of a crops table: embed, rank, name what was found."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from reidops.embedding.embedder import Embedder
from reidops.embedding.images import CropStore, load_images
from reidops.errors import ReidopsError
from reidops.retrieval.colour_histogram import embed_colours
from reidops.retrieval.crop_distances import Crops
from reidops.retrieval.matches import check_labels, find_matches
from reidops.retrieval.ranking import RankingScores, score_blocks, score_embeddings
from reidops.retrieval.reranking import reranked_blocks

HISTOGRAM = "colour_histogram"


@dataclass(frozen=True)
class TestSet:
    """Query and gallery rows of one data set, as positions in the crops table, their labels, and the junk rule that fits them."""

    __test__ = False  # no test case, whatever pytest thinks of the name

    name: str
    query: np.ndarray
    gallery: np.ndarray
    labels: dict[str, np.ndarray]
    junk: str

    def score(self, embeddings: np.ndarray, max_rank: int) -> RankingScores:
        """Rank with the embeddings of the whole table, [len(table), dim]."""
        return score_embeddings(embeddings[self.query], embeddings[self.gallery], junk=self.junk, max_rank=max_rank, **self.labels)

    def score_reranked(self, embeddings: np.ndarray, max_rank: int) -> RankingScores:
        """Rank with k-reciprocal re-ranking, at the published constants."""
        query = check_labels("query", self.labels["query_pids"], self.labels["query_camids"])
        gallery = check_labels("gallery", self.labels["gallery_pids"], self.labels["gallery_camids"])
        blocks = reranked_blocks(embeddings[self.query], embeddings[self.gallery])
        return score_blocks(blocks, find_matches(query, gallery, self.junk), max_rank)

    def junk_mask(self, queries: np.ndarray) -> np.ndarray:
        """Return which gallery crops the ranking of some queries leaves out, bool [len(queries), num_gallery]."""
        if self.junk == "none":
            return np.zeros((len(queries), len(self.gallery)), bool)
        one_person = self.labels["query_pids"][queries, None] == self.labels["gallery_pids"]
        return one_person & (self.labels["query_camids"][queries, None] == self.labels["gallery_camids"])


def find_test_sets(table: pd.DataFrame, junk: str = "auto") -> list[TestSet]:
    """Return the data sets of a crops table that have queries and a gallery, by name.

    Args:
        junk: `same-camera` or `none` for all of them; `auto` takes the camera rule where it leaves most queries a match, as
            in sets of several cameras, and none where it does not: a MOT scene is one camera, its split is by time already.

    Raises:
        ReidopsError: there is no such data set, or one has queries only.
    """
    tests = table[table["split"].isin(["query", "gallery"])]
    if tests.empty:
        raise ReidopsError("the crops table has no query and gallery rows; name a test set in params.yaml, section download, and convert again")
    return [_test_set(str(name), rows, junk) for name, rows in tests.groupby("dataset", sort=True)]


def embed_rows(embedder: Embedder, store: CropStore, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Return unit embeddings of some rows of the crops table, and zeros in the others, float32 [len(store), dim].

    The next batch is decoded while one is embedded.
    """
    embeddings = np.zeros((len(store), embedder.dim), np.float32)
    batches = [rows[start:start + batch_size] for start in range(0, len(rows), batch_size)]
    images = _decoded(store, batches, embedder.input_size)
    for batch, of_batch in zip(tqdm(batches, "embed crops", disable=None), images, strict=True):
        embeddings[batch] = embedder.embed_images(of_batch)
    return embeddings


def embed_row_colours(store: CropStore, tests: Sequence[TestSet]) -> np.ndarray:
    """Return colour histograms of the test sets' rows as unit rows, and zeros in the others, float32 [len(store), dim]."""
    rows = np.concatenate([part for test in tests for part in (test.query, test.gallery)])
    colours = embed_colours(store.decode(row) for row in tqdm(rows, "count colours", disable=None))
    whole = np.zeros((len(store), colours.shape[1]), np.float32)
    whole[rows] = colours
    return whole


def score_tests(tests: Sequence[TestSet], embeddings: np.ndarray, colours: np.ndarray, *, max_rank: int, rerank: bool) -> dict[str, RankingScores]:
    """Return the scores of each test set by its name, then the colour histogram's, then re-ranked ones where asked for."""
    scores = {test.name: test.score(embeddings, max_rank) for test in tests}
    scores |= {name_of_histogram(test, tests): test.score(colours, max_rank) for test in tests}
    if rerank:
        scores |= {f"{test.name}_reranked": test.score_reranked(embeddings, max_rank) for test in tests}
    return scores


def name_of_histogram(test: TestSet, tests: Sequence[TestSet]) -> str:
    """Return the name of the colour histogram's figures on a test set; it bears the set's where there are several."""
    return HISTOGRAM if len(tests) == 1 else f"{HISTOGRAM}_{test.name}"


def crops_to_calibrate(table: pd.DataFrame, embeddings: np.ndarray) -> Crops:
    """Return the held-out training people, split `val`: never trained on, never ranked, never tracked."""
    rows = np.flatnonzero((table["split"] == "val") & (table["pid"] >= 0))
    columns = ("pid", "camid", "frame", "visibility", "height")
    return Crops(embeddings[rows], *(table[name].to_numpy()[rows] for name in columns))


def _decoded(store: CropStore, batches: Sequence[np.ndarray], size: tuple[int, int]) -> Iterator[np.ndarray]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[np.ndarray]] = deque()
        for batch in batches:
            waiting.append(pool.submit(load_images, store, batch, *size))
            if len(waiting) == 2:
                yield waiting.popleft().result()
        yield from (job.result() for job in waiting)


def _test_set(name: str, rows: pd.DataFrame, junk: str) -> TestSet:
    query, gallery = (rows[rows["split"] == split] for split in ("query", "gallery"))
    if query.empty or gallery.empty:
        raise ReidopsError(f"{name}: {len(query)} query and {len(gallery)} gallery crops; a test set needs both, convert it again")
    labels = {f"{side}_{kind}s": part[kind].to_numpy() for side, part in (("query", query), ("gallery", gallery)) for kind in ("pid", "camid")}
    return TestSet(name, query.index.to_numpy(), gallery.index.to_numpy(), labels, _fitting_rule(labels) if junk == "auto" else junk)


def _fitting_rule(labels: dict[str, np.ndarray]) -> str:
    query = check_labels("query", labels["query_pids"], labels["query_camids"])
    gallery = check_labels("gallery", labels["gallery_pids"], labels["gallery_camids"])
    unmatched = len(find_matches(query, gallery, "same-camera").unmatched)
    return "same-camera" if unmatched < len(query) / 2 else "none"
