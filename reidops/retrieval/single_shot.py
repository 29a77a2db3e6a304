"""CUHK03's single-gallery-shot protocol: of every person one crop, drawn at random, stands in the gallery.

For each query, one of the crops that its junk rule leaves is drawn of each identity, and the rank of the one that shows
its person is found among them; that is repeated, and CMC is the mean. mAP and mINP stay those of the whole gallery, as
in torchreid. Distractors have no identity: every one of them stays.

A draw knows a gallery crop by its labels, then by its embedding's or its distances' values, not by its place. So it is
the same in any order of the gallery, and last bits that another machine rounds otherwise seldom change it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reidops.errors import ReidopsError
from reidops.retrieval.matches import Labels, Matches, are_distractors, rows_of_mask

CELLS_AT_ONCE = 2**21

Rank = Callable[[np.ndarray, Matches], np.ndarray]
"""From query numbers, which may repeat, and what each of them is to find, to the ranks of what they find."""


@dataclass(frozen=True)
class SingleShot:
    """How often a gallery of one crop per person is drawn, and from which seed."""

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
    """Return whose crops the gallery holds; those of one identity stand in the order of camera, frame and content.

    Args:
        columns: what tells gallery crops apart, [num_gallery, any]: embeddings, or the distances from all queries.
    """
    content = np.unique(columns, axis=0, return_inverse=True)[1].ravel()
    known = [values for values in (gallery.frames, gallery.camids) if values is not None]
    order = np.lexsort((content, *known, gallery.pids))
    pids, distractors = gallery.pids[order], are_distractors(gallery)[order]
    starts = np.concatenate([[True], (pids[1:] != pids[:-1]) | distractors[1:]])
    return Identities(order, np.flatnonzero(starts))


def draw_shots(identities: Identities, junk: np.ndarray, query: int, shot: SingleShot) -> np.ndarray:
    """Return which gallery crops are drawn for one query, bool [repeats, num_gallery]: of each identity one that is not
    junk.

    Args:
        junk: gallery rows that the query leaves out; an identity of junk only has no crop drawn.
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
    """Return the rank of each matched query's person in each gallery drawn for it, [num_matched × repeats].

    Args:
        queries: those that are ranked; None = all. What is drawn for a query does not depend on it.
    """
    first, last = (queries.start, queries.stop) if queries else (0, matches.num_query)
    matched = first + np.flatnonzero(matches.positives.counts[first:last])
    at_once = max(1, CELLS_AT_ONCE // (shot.repeats * matches.num_gallery))
    parts = [matched[start : start + at_once] for start in range(0, len(matched), at_once)]
    ranks = [rank(np.repeat(part, shot.repeats), _drawn_matches(part, matches, identities, shot)) for part in parts]
    return np.concatenate([np.empty(0, np.int64), *ranks])


def _drawn_matches(queries: np.ndarray, matches: Matches, identities: Identities, shot: SingleShot) -> Matches:
    """Return what each query is to find in each gallery drawn for it; all that is not drawn is junk there."""
    drawn = np.concatenate([draw_shots(identities, matches.junk.of(query), query, shot) for query in queries])
    wanted = np.zeros_like(drawn)
    for i, query in enumerate(queries):
        wanted[i * shot.repeats : (i + 1) * shot.repeats, matches.positives.of(query)] = True
    return Matches(rows_of_mask(drawn & wanted), rows_of_mask(~drawn), matches.num_gallery)
