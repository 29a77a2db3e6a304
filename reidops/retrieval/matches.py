"""Find the positives of each query, and the gallery crops that are left out of its ranking (junk).

The junk rules:

- `same-camera`: the rule of Market-1501. Crops of the query's person and the query's camera are junk.
- `time-gap`: for video. All crops of the query's camera (in MOT one per scene) less than `gap` frames away are junk.
- `none`: there is no junk.
- a boolean mask [num_query, num_gallery]: crops with True are junk.

pid −1 marks a distractor. In the gallery it matches no query and stays in every ranking; as a query it has no match.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reidops.errors import ReidopsError

JUNK_RULES = ("same-camera", "none", "time-gap")
DISTRACTOR = "-1"


@dataclass(frozen=True)
class Rows:
    """Ascending gallery rows of each query; those of query q are `index[start[q]:start[q + 1]]`."""

    start: np.ndarray
    index: np.ndarray

    def of(self, query: int) -> np.ndarray:
        """Return the gallery rows of one query."""
        return self.index[self.start[query] : self.start[query + 1]]

    @property
    def counts(self) -> np.ndarray:
        """Return the number of gallery rows of each query, [num_query]."""
        return np.diff(self.start)

    @property
    def queries(self) -> np.ndarray:
        """Return the query that each entry of `index` belongs to, [len(index)]."""
        return np.repeat(np.arange(len(self.start) - 1), self.counts)

    @property
    def places(self) -> np.ndarray:
        """Return the 1-based position of each entry of `index` within its query, [len(index)]."""
        return np.arange(1, len(self.index) + 1) - np.repeat(self.start[:-1], self.counts)

    def between(self, first: int, last: int) -> "Rows":
        """Return the rows of the queries first … last − 1."""
        bounds = self.start[first : last + 1]
        return Rows(bounds - bounds[0], self.index[bounds[0] : bounds[-1]])


@dataclass(frozen=True)
class Matches:
    """For each query the gallery crops of its person (`positives`, junk excluded), and the junk."""

    positives: Rows
    junk: Rows
    num_gallery: int

    @property
    def num_query(self) -> int:
        """Return the number of queries, with or without a match."""
        return len(self.positives.start) - 1

    @property
    def unmatched(self) -> np.ndarray:
        """Return the queries without a match, ascending."""
        return np.flatnonzero(self.positives.counts == 0)


@dataclass(frozen=True)
class Labels:
    """Labels of the query or gallery crops, [n] each; camids and frames are given if the junk rule needs them."""

    pids: np.ndarray
    camids: np.ndarray | None = None
    frames: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pids)


def check_labels(side: str, pids: ArrayLike, camids: ArrayLike | None, frames: ArrayLike | None = None) -> Labels:
    """Return the labels of one side (query or gallery) as arrays of equal length.

    Raises:
        ReidopsError: pids are missing, or an array is empty, not one-dimensional, of another length than the pids, or
            has a missing value.
    """
    if pids is None or np.ndim(pids) != 1:
        raise ReidopsError(
            f"{side}_pids {'is missing' if pids is None else f'has the shape {list(np.shape(pids))}'}; pass one pid "
            f"per {side} crop, [n]"
        )
    columns = {"pids": pids, "camids": camids, "frames": frames}
    arrays = {name: np.asarray(values) for name, values in columns.items() if values is not None}
    if arrays["pids"].size == 0:
        raise ReidopsError(f"{side}_pids is empty; check that the crops table has {side} rows")
    for name, values in arrays.items():
        if values.shape != (len(arrays["pids"]),):
            expected = f"[{len(arrays['pids'])}], one per {side} crop"
            raise ReidopsError(f"{side}_{name} has the shape {list(values.shape)}, expected {expected}")
        if len(missing := np.flatnonzero(_is_missing(values))):
            raise ReidopsError(
                f"{side}_{name} has missing values in {len(missing)} rows, first in row {missing[0]}; "
                "leave these crops out"
            )
    return Labels(**arrays)


def are_distractors(labels: Labels) -> np.ndarray:
    """Return which crops are distractors, bool [n]."""
    if labels.pids.dtype.kind in "iuf":
        return labels.pids == int(DISTRACTOR)
    return labels.pids.astype(str) == DISTRACTOR


def find_matches(query: Labels, gallery: Labels, junk: str | np.ndarray, gap: int | None = None) -> Matches:
    """Return the positives and the junk of each query.

    Raises:
        ReidopsError: the rule is unknown, or labels that it needs are missing.
    """
    same_person = _same_person(query, gallery)
    if not isinstance(junk, str):
        mask = _checked_mask(junk, len(query), len(gallery))
        is_junk, junk_rows = mask[same_person.queries, same_person.index], rows_of_mask(mask)
    elif junk == "same-camera":
        known = _needed(junk, query, gallery, "camids")
        is_junk = known["query_camids"][same_person.queries] == known["gallery_camids"][same_person.index]
        junk_rows = _selected(same_person, is_junk)
    elif junk == "time-gap":
        known = _needed(junk, query, gallery, "camids", "frames")
        junk_rows = _near_in_time(known, _checked_gap(gap))
        is_junk = np.isin(_flat(same_person, len(gallery)), _flat(junk_rows, len(gallery)))
    elif junk == "none":
        is_junk = np.zeros(len(same_person.index), bool)
        junk_rows = _selected(same_person, is_junk)
    else:
        raise ReidopsError(
            f"junk is {junk!r}, expected one of {', '.join(JUNK_RULES)} or a boolean mask [num_query, num_gallery]"
        )
    return Matches(_selected(same_person, ~is_junk), junk_rows, len(gallery))


def refuse_unmatched(matches: Matches, query: Labels, gallery: Labels, junk: str | np.ndarray) -> None:
    """Raise if no query has a match.

    Raises:
        ReidopsError: no query has a match; the message gives the reason and a rule that leaves matches.
    """
    if len(matches.unmatched) < matches.num_query:
        return
    everyone = _same_person(query, gallery)
    if len(everyone.index) == 0:
        why, remedy = (
            "query and gallery have no person in common",
            "check the pids, or split the crops of each person into query and gallery",
        )
    else:
        rule = f"the rule {junk!r}" if isinstance(junk, str) else "the mask"
        why = f"all {len(everyone.index)} gallery crops of the queries' people are junk by {rule}"
        remedy = "use junk='time-gap' with frames and a gap, or junk='none' if query and gallery are separated in time"
        if isinstance(junk, str) and junk == "same-camera":
            why += " (each person has crops of one camera only)"
    raise ReidopsError(
        f"none of {matches.num_query} queries has a match in a gallery of {matches.num_gallery} crops: {why}; {remedy}"
    )


def rows_of_mask(mask: np.ndarray) -> Rows:
    """Return the columns with True of each row of a boolean mask."""
    queries, index = np.nonzero(mask)
    counts = np.bincount(queries, minlength=len(mask))
    return Rows(np.concatenate([[0], np.cumsum(counts)]), index)


def _same_person(query: Labels, gallery: Labels) -> Rows:
    """Return the gallery crops of each query's pid; none for distractors."""
    query_codes, gallery_codes = _codes(query.pids, gallery.pids)
    order = np.argsort(gallery_codes, kind="stable")
    first = np.searchsorted(gallery_codes[order], query_codes, "left")
    last = np.searchsorted(gallery_codes[order], query_codes, "right")
    counts = np.where(are_distractors(query), 0, last - first)
    return _ranges(order, first, counts)


def _near_in_time(known: dict[str, np.ndarray], gap: int) -> Rows:
    """Return for each query the gallery crops of its camera less than `gap` frames away."""
    query_cameras, gallery_cameras = _codes(known["query_camids"], known["gallery_camids"])
    frames = np.concatenate([known["query_frames"], known["gallery_frames"]]).astype(np.int64)
    span = int(np.ptp(frames)) + 2 * gap + 1  # so far apart that no window reaches into the next camera
    query_time = query_cameras * span + (known["query_frames"] - frames.min())
    gallery_time = gallery_cameras * span + (known["gallery_frames"] - frames.min())
    order = np.argsort(gallery_time, kind="stable")
    first = np.searchsorted(gallery_time[order], query_time - gap, "right")
    last = np.searchsorted(gallery_time[order], query_time + gap, "left")
    rows = _ranges(order, first, last - first)
    ascending = np.argsort(_flat(rows, len(gallery_cameras)), kind="stable")
    return Rows(rows.start, rows.index[ascending])


def _is_missing(values: np.ndarray) -> np.ndarray:
    """Return which values are NaN or None, bool [n]."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "O":
        return np.array([value is None or value != value for value in values])
    return np.zeros(len(values), bool)


def _codes(query: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return integer codes of the labels of both sides; two codes are equal if and only if the labels are."""
    if (query.dtype.kind in "iu") != (gallery.dtype.kind in "iu"):
        raise ReidopsError(
            f"query labels are {query.dtype} and gallery labels {gallery.dtype}, so that they never match; pass both "
            "as one type"
        )
    _, codes = np.unique(np.concatenate([query, gallery]), return_inverse=True)
    return codes[: len(query)], codes[len(query) :]


def _ranges(order: np.ndarray, first: np.ndarray, counts: np.ndarray) -> Rows:
    """Return order[first[q]:first[q] + counts[q]] for every q."""
    start = np.concatenate([[0], np.cumsum(counts)])
    within = np.arange(start[-1]) - np.repeat(start[:-1], counts)
    return Rows(start, order[np.repeat(first, counts) + within])


def _selected(rows: Rows, chosen: np.ndarray) -> Rows:
    """Return the entries for which `chosen`, bool [len(index)], is True."""
    counts = np.bincount(rows.queries[chosen], minlength=len(rows.start) - 1)
    return Rows(np.concatenate([[0], np.cumsum(counts)]), rows.index[chosen])


def _flat(rows: Rows, num_gallery: int) -> np.ndarray:
    """Return a unique number for the pair of query and gallery crop of each entry."""
    return rows.queries * num_gallery + rows.index


def _needed(rule: str, query: Labels, gallery: Labels, *names: str) -> dict[str, np.ndarray]:
    """Return the labels that a rule needs, by side and name: `query_camids`."""
    sides = (("query", query), ("gallery", gallery))
    found = {f"{side}_{name}": getattr(labels, name) for side, labels in sides for name in names}
    missing = [name for name, values in found.items() if values is None]
    if missing:
        raise ReidopsError(f"junk={rule!r} needs {' and '.join(missing)}; pass them, or use junk='none'")
    return found


def _checked_gap(gap: int | None) -> int:
    if gap is None or gap < 1:
        raise ReidopsError(f"junk='time-gap' needs a gap of at least 1 frame, not {gap}")
    return gap


def _checked_mask(mask: np.ndarray, num_query: int, num_gallery: int) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (num_query, num_gallery):
        raise ReidopsError(
            f"the junk mask is {mask.dtype} {list(mask.shape)}, expected bool [{num_query}, {num_gallery}]"
        )
    return mask
