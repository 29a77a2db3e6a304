"""Rank by CUHK03's single-gallery-shot protocol: the gallery has one randomly drawn crop of every person.

For each query one crop of each identity is drawn from the gallery without junk, and the query's match is ranked among
them. This is repeated, and CMC is the mean. mAP and mINP are computed on the whole gallery, as in torchreid.
Distractors have no identity and all stay in the gallery.

Before drawing, gallery crops are sorted by their labels and then by the values of their embeddings or distances. So a
draw does not depend on the order of the gallery, and rounding differences between machines seldom change it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reidops.errors import ReidopsError
from reidops.retrieval.matches import Labels, Matches, are_distractors, rows_of_mask

CELLS_AT_ONCE = 2**21

Rank = Callable[[np.ndarray, Matches], np.ndarray]
"""A function of query numbers, which may repeat, and their matches that returns the ranks of the matches."""


@dataclass(frozen=True)
class SingleShot:
    """The number of drawn galleries of one crop per person, and the seed."""

    repeats: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.repeats < 1:
            raise ReidopsError(f"single_gallery_shot has {self.repeats} repeats, expected at least 1")


@dataclass(frozen=True)
class Identities:
    """The gallery rows sorted by identity, [num_gallery], and where in that order each identity starts."""

    order: np.ndarray
    start: np.ndarray


def find_identities(gallery: Labels, columns: np.ndarray) -> Identities:
    """Return the gallery rows by identity; rows of one identity are sorted by camera, frame and content.

    Args:
        columns: the content of the gallery crops, [num_gallery, any]: embeddings, or distances from all queries.
    """
    content = np.unique(columns, axis=0, return_inverse=True)[1].ravel()
    known = [values for values in (gallery.frames, gallery.camids) if values is not None]
    order = np.lexsort((content, *known, gallery.pids))
    pids, distractors = gallery.pids[order], are_distractors(gallery)[order]
    starts = np.concatenate([[True], (pids[1:] != pids[:-1]) | distractors[1:]])
    return Identities(order, np.flatnonzero(starts))


def draw_shots(identities: Identities, junk: np.ndarray, query: int, shot: SingleShot) -> np.ndarray:
    """Return the gallery crops drawn for one query, bool [repeats, num_gallery]: one of each identity, without junk.

    Args:
        junk: gallery rows that are junk for the query. No crop is drawn of an identity with junk only.
    """
    num_gallery = len(identities.order)
    lots = np.random.default_rng([shot.seed, query]).random((shot.repeats, num_gallery))
    is_junk = np.zeros(num_gallery, bool)
    is_junk[junk] = True
    lots[:, is_junk[identities.order]] = -1
    sizes = np.diff(identities.start, append=num_gallery)
    highest = np.repeat(np.maximum.reduceat(lots, identities.start, axis=1), sizes, axis=1)
    drawn = np.empty((shot.repeats, num_gallery), bool)
    drawn[:, identities.order] = (lots == highest) & (lots >= 0)
    return drawn


def rank_single_shots(
    rank: Rank, matches: Matches, identities: Identities, shot: SingleShot, queries: range | None = None
) -> np.ndarray:
    """Return the rank of each matched query's person in each of its drawn galleries, [num_matched × repeats].

    Args:
        queries: the queries to rank; None = all. The draws of a query do not depend on it.
    """
    first, last = (queries.start, queries.stop) if queries else (0, matches.num_query)
    matched = first + np.flatnonzero(matches.positives.counts[first:last])
    at_once = max(1, CELLS_AT_ONCE // (shot.repeats * matches.num_gallery))
    blocks = [matched[start : start + at_once] for start in range(0, len(matched), at_once)]
    ranks = [rank(np.repeat(block, shot.repeats), _drawn_matches(block, matches, identities, shot)) for block in blocks]
    return np.concatenate([np.empty(0, np.int64), *ranks])


def _drawn_matches(queries: np.ndarray, matches: Matches, identities: Identities, shot: SingleShot) -> Matches:
    """Return the matches of each query in each of its drawn galleries; crops that are not drawn are junk."""
    drawn = np.concatenate([draw_shots(identities, matches.junk.of(query), query, shot) for query in queries])
    wanted = np.zeros_like(drawn)
    for i, query in enumerate(queries):
        wanted[i * shot.repeats : (i + 1) * shot.repeats, matches.positives.of(query)] = True
    return Matches(rows_of_mask(drawn & wanted), rows_of_mask(~drawn), matches.num_gallery)
