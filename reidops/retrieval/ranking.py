"""Compute CMC, mAP and mINP exactly, without sorting the gallery.

The ranks of the positives of each query are counted block by block, so the whole distance matrix is never in memory.
Ties count against the model: a gallery crop of another person at exactly the distance of a match ranks before the match
(`counting.py`). Distances of embeddings are compared without rounding error (`exact_counting.py`), so equal embeddings
tie and nearly equal ones do not. With the ranks r₁ ≤ … ≤ r_m of a query's m positives:

- average precision is the mean of i / rᵢ, the precision at each hit; mAP is its mean over the queries;
- the inverse negative penalty is m / r_m; mINP is its mean;
- CMC at k is the fraction of queries with r₁ ≤ k; rank1, rank5 and rank10 are its values at 1, 5 and 10.

Queries without a match are left out of all means; they are counted and listed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from reidops.errors import ReidopsError
from reidops.retrieval.counting import rank_positives
from reidops.retrieval.exact_counting import UnitRows, rank_block, unit_rows
from reidops.retrieval.matches import Labels, Matches, check_labels, find_matches, refuse_unmatched
from reidops.retrieval.single_shot import Identities, SingleShot, find_identities, rank_single_shots

BLOCK_BYTES = 64 * 2**20
RANKED_AT_ONCE = 2**21


@dataclass(frozen=True)
class RankingScores:
    """The scores of a ranking, fractions 0 … 1, and the values of each query.

    Attributes:
        num_query: number of all queries; `num_unmatched_queries` of them have no match and are left out of all means.
        num_tied_hits: positives at exactly the distance of another person's crop, which ranks before them. A large
            number means that many embeddings are equal.
        cmc: fraction of queries whose first match is among the first k, for k = 1 … max_rank, [max_rank].
        average_precisions, inverse_negative_penalties: [num_query], NaN for unmatched queries.
        first_ranks: 1-based rank of the first match in the whole gallery, [num_query], 0 for unmatched queries.
        unmatched_queries: rows of the queries without a match, ascending.
    """

    mAP: float
    mINP: float
    rank1: float
    rank5: float
    rank10: float
    num_query: int
    num_gallery: int
    num_unmatched_queries: int
    num_tied_hits: int
    cmc: np.ndarray
    average_precisions: np.ndarray
    inverse_negative_penalties: np.ndarray
    first_ranks: np.ndarray
    unmatched_queries: np.ndarray

    def figures(self) -> dict[str, float | int]:
        """Return the scores and counts for a report, by name."""
        names = ("mAP", "mINP", "rank1", "rank5", "rank10", "num_query", "num_gallery", "num_unmatched_queries")
        return {name: getattr(self, name) for name in names}


def score_embeddings(
    query: np.ndarray,
    gallery: np.ndarray,
    *,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None = None,
    gallery_camids: ArrayLike | None = None,
    junk: str | np.ndarray = "same-camera",
    max_rank: int = 50,
    query_frames: ArrayLike | None = None,
    gallery_frames: ArrayLike | None = None,
    gap: int | None = None,
    single_gallery_shot: SingleShot | None = None,
    block_size: int | None = None,
) -> RankingScores:
    """Score embeddings, [num_query, dim] and [num_gallery, dim], by their cosine distances.

    Rows are converted to float32 and scaled to unit length. Ranks are not affected by rounding errors, so the scores do
    not depend on the order of the gallery, on `block_size` (queries per block) or on the number of threads.

    Args:
        junk: a rule of `matches.JUNK_RULES`, or a boolean mask [num_query, num_gallery].
        query_frames, gallery_frames, gap: needed by `junk="time-gap"`, in frames.
        single_gallery_shot: compute CMC and rank1 to rank10 on galleries of one crop per person (CUHK03, see
            `single_shot.py`).

    Raises:
        ReidopsError: shapes do not fit, a row is zero or not finite, a label that the rule needs is missing, query and
            gallery are the same set without junk, no query has a match, or a count is below 1.
    """
    _check_counts(max_rank=max_rank, block_size=block_size)
    query, gallery = unit_rows(query, "query"), unit_rows(gallery, "gallery")
    if query.shape[1] != gallery.shape[1]:
        raise ReidopsError(
            f"query embeddings have {query.shape[1]} dimensions, gallery embeddings {gallery.shape[1]}; embed both "
            f"with one model"
        )
    labels = _both_labels(query_pids, gallery_pids, query_camids, gallery_camids, query_frames, gallery_frames)
    _check_lengths(labels, (len(query), len(gallery)), "embeddings")
    if isinstance(junk, str) and junk == "none" and query.shape == gallery.shape and np.array_equal(query, gallery):
        raise ReidopsError(
            "query and gallery are the same set, so that each crop matches itself; use "
            "junk=np.eye(num_query, dtype=bool) to leave it out"
        )
    matches = _matches(labels, junk, gap)
    block_size = block_size or max(1, BLOCK_BYTES // (4 * len(gallery)))
    scores = _scores(_rank_embeddings(query, gallery, matches, block_size), matches, max_rank)
    if single_gallery_shot is None:
        return scores
    identities = find_identities(labels[1], gallery)
    ranks = rank_single_shots(
        lambda rows, drawn: _rank_embeddings(query[rows], gallery, drawn, block_size).of_hits,
        matches,
        identities,
        single_gallery_shot,
    )
    return _with_cmc(scores, ranks, max_rank)


def score_distances(
    distances: np.ndarray,
    *,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None = None,
    gallery_camids: ArrayLike | None = None,
    junk: str | np.ndarray = "same-camera",
    max_rank: int = 50,
    query_frames: ArrayLike | None = None,
    gallery_frames: ArrayLike | None = None,
    gap: int | None = None,
    single_gallery_shot: SingleShot | None = None,
) -> RankingScores:
    """Score a matrix of distances of any metric, [num_query, num_gallery]; smaller is nearer, +inf is allowed.

    The other arguments are those of `score_embeddings`.

    Raises:
        ReidopsError: the matrix is not two-dimensional or has NaN, lengths do not fit, a label that the rule needs is
            missing, no query has a match, or `max_rank` is below 1.
    """
    _check_counts(max_rank=max_rank)
    distances = np.asarray(distances)
    if distances.ndim != 2:
        raise ReidopsError(f"distances have the shape {list(distances.shape)}, expected [num_query, num_gallery]")
    labels = _both_labels(query_pids, gallery_pids, query_camids, gallery_camids, query_frames, gallery_frames)
    _check_lengths(labels, distances.shape, "distances")
    matches = _matches(labels, junk, gap)
    shots = (find_identities(labels[1], distances.T), single_gallery_shot) if single_gallery_shot else None
    return score_blocks([distances], matches, max_rank, shots=shots)


def score_blocks(
    blocks: Iterable[np.ndarray],
    matches: Matches,
    max_rank: int = 50,
    *,
    shots: tuple[Identities, SingleShot] | None = None,
) -> RankingScores:
    """Score distances in blocks of rows, [any, num_gallery]; together the blocks have one row per query, in order.

    Args:
        shots: count CMC in galleries of one crop per person; whose crops the gallery holds, and how they are drawn.
    """
    whole, of_shots, first = [], [], 0
    for block in blocks:
        whole.append(_rank_distances(block, matches, first))
        if shots:
            queries = range(first, first + len(block))
            rank = lambda rows, drawn: _rank_distances(block[rows - first], drawn).of_hits  # noqa: B023, E731
            of_shots.append(rank_single_shots(rank, matches, *shots, queries))
        first += len(block)
    scores = _scores(_joined(whole), matches, max_rank)
    return _with_cmc(scores, np.concatenate(of_shots), max_rank) if shots else scores


def _both_labels(
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    query_camids: ArrayLike | None,
    gallery_camids: ArrayLike | None,
    query_frames: ArrayLike | None,
    gallery_frames: ArrayLike | None,
) -> tuple[Labels, Labels]:
    query = check_labels("query", query_pids, query_camids, query_frames)
    return query, check_labels("gallery", gallery_pids, gallery_camids, gallery_frames)


def _check_lengths(labels: tuple[Labels, Labels], shape: tuple[int, ...], what: str) -> None:
    found = tuple(map(len, labels))
    if found != tuple(shape):
        raise ReidopsError(
            f"there are {found[0]} query and {found[1]} gallery pids, but {what} of {shape[0]} queries and {shape[1]} "
            f"gallery crops"
        )


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ReidopsError(f"{name} is {count}, expected at least 1")


def _matches(labels: tuple[Labels, Labels], junk: str | np.ndarray, gap: int | None) -> Matches:
    matches = find_matches(*labels, junk, gap)
    refuse_unmatched(matches, *labels, junk)
    return matches


@dataclass(frozen=True)
class _Ranks:
    """The ranks of all positives, in the order of `matches.positives`, and the number of ties."""

    of_hits: np.ndarray
    num_tied: int


def _joined(blocks: list[_Ranks]) -> _Ranks:
    return _Ranks(np.concatenate([block.of_hits for block in blocks]), sum(block.num_tied for block in blocks))


def _rank_distances(distances: np.ndarray, matches: Matches, first: int = 0) -> _Ranks:
    """Return the ranks of the queries of the rows of `distances`; the first row is query number `first`."""
    ranks, tied = [np.empty(0, np.int64)], 0
    for query, row in enumerate(distances, first):
        if np.isnan(row.min()):
            raise ReidopsError(
                f"distances: row {query} has NaN at gallery crop {int(np.isnan(row).argmax())}; embed these crops again"
            )
        positives = matches.positives.of(query)
        if len(positives):
            of_query, ties = rank_positives(row, positives, matches.junk.of(query))
            ranks.append(of_query)
            tied += ties
    return _Ranks(np.concatenate(ranks), tied)


def _rank_embeddings(query: np.ndarray, gallery: np.ndarray, matches: Matches, block_size: int) -> _Ranks:
    ranks = []
    rows_at_once = max(1, RANKED_AT_ONCE // len(gallery))
    for start, block in _negative_products(query, gallery, block_size):
        for first in range(0, len(block), rows_at_once):
            distances = block[first : first + rows_at_once]
            rows = start + first, start + first + len(distances)
            embeddings = UnitRows(query[slice(*rows)], gallery)
            ranks.append(
                _Ranks(
                    *rank_block(distances, matches.positives.between(*rows), matches.junk.between(*rows), embeddings)
                )
            )
    return _joined(ranks)


def _negative_products(query: np.ndarray, gallery: np.ndarray, block_size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first query's number and −(query · gallery), [any, num_gallery], of each block, in a reused buffer."""
    buffer = np.empty((min(block_size, len(query)), len(gallery)), np.float32)
    for start in range(0, len(query), block_size):
        block = -query[start : start + block_size]
        yield start, np.matmul(block, gallery.T, out=buffer[: len(block)])


def _scores(ranks: _Ranks, matches: Matches, max_rank: int) -> RankingScores:
    hits = matches.positives
    matched = hits.counts > 0
    sums = np.bincount(hits.queries, weights=hits.places / ranks.of_hits, minlength=matches.num_query)
    precisions, penalties = np.full((2, matches.num_query), np.nan)
    first = np.zeros(matches.num_query, np.int64)
    precisions[matched] = sums[matched] / hits.counts[matched]
    penalties[matched] = hits.counts[matched] / ranks.of_hits[hits.start[1:][matched] - 1]
    first[matched] = ranks.of_hits[hits.start[:-1][matched]]
    return RankingScores(
        mAP=float(precisions[matched].mean()),
        mINP=float(penalties[matched].mean()),
        **_cmc(first[matched], max_rank),
        num_query=matches.num_query,
        num_gallery=matches.num_gallery,
        num_unmatched_queries=len(matches.unmatched),
        num_tied_hits=ranks.num_tied,
        average_precisions=precisions,
        inverse_negative_penalties=penalties,
        first_ranks=first,
        unmatched_queries=matches.unmatched,
    )


class _Cmc(TypedDict):
    cmc: np.ndarray
    rank1: float
    rank5: float
    rank10: float


def _cmc(first_ranks: np.ndarray, max_rank: int) -> _Cmc:
    cmc = np.array([(first_ranks <= k).mean() for k in range(1, max(max_rank, 10) + 1)])
    return {"cmc": cmc[:max_rank], "rank1": float(cmc[0]), "rank5": float(cmc[4]), "rank10": float(cmc[9])}


def _with_cmc(scores: RankingScores, first_ranks: np.ndarray, max_rank: int) -> RankingScores:
    return replace(scores, **_cmc(first_ranks, max_rank))
