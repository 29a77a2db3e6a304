"""Compare ReID sets with the published numbers of people and crops (or tracklets) in train, query and gallery.

Fewer than published is a warning: the user works on a subset, whose scores cannot be compared with published ones. More
than published is an error: files were added, or the set has the name of another one.
"""

from collections.abc import Sequence as Rows

import pandas as pd

from reidops.datasets.families import base_name
from reidops.datasets.sets import PUBLISHED_COUNTS
from reidops.parts import Part
from reidops.validation.expectations import Suite, expect_in
from reidops.validation.findings import WARNING

# role (train, query, gallery) → number of people, number of crops or tracklets; distractors count only as crops
Counts = dict[str, tuple[int, int]]

_ROLES = {"train": ("train",), "test": ("query", "gallery")}
_SPLITS = {"train": ["train", "val"], "query": ["query"], "gallery": ["gallery"]}


def published_counts_of(dataset: str, protocol: str) -> Counts:
    """Return the published counts of a set under a protocol, or {}; the key "*" holds for every protocol.

    >>> published_counts_of("Market-1501", "")["query"], published_counts_of("unknown", "")
    ((750, 3368), {})
    """
    by_protocol = PUBLISHED_COUNTS.get(base_name(dataset), {})
    return by_protocol.get(protocol, by_protocol.get("*", {}))


def published_table(crops: pd.DataFrame, parts: Rows[Part], file: str) -> pd.DataFrame:
    """Return one row per known set and role: file, row (0), dataset, role, more, fewer.

    `more` describes counts above the published ones, `fewer` counts below them; "" otherwise.
    """
    records = [
        {
            "file": file,
            "row": 0,
            "dataset": part.dataset,
            "role": role,
            **_differences(crops, part.dataset, role, published[role]),
        }
        for part in parts
        for published in (published_counts_of(part.dataset, part.protocol),)
        for role in _ROLES.get(part.part, ())
        if role in published and part.layout != "mot"
    ]
    return pd.DataFrame(records, columns=["file", "row", "dataset", "role", "more", "fewer"])


def _differences(crops: pd.DataFrame, dataset: str, role: str, published: tuple[int, int]) -> dict[str, str]:
    rows = crops[(crops["dataset"] == dataset) & crops["split"].isin(_SPLITS[role])]
    has_tracklets = bool((rows["tracklet"] >= 0).any())
    people = rows.loc[rows["pid"] >= 0, "pid"].nunique()
    shown = rows["tracklet"].nunique() if has_tracklets else len(rows)
    word = "tracklets" if has_tracklets else "crops"
    found = f"{dataset} {role} has {people:,} people and {shown:,} {word}"
    text = f"{found}; the published counts are {published[0]:,} and {published[1]:,}"
    is_more = people > published[0] or shown > published[1]
    is_fewer = not is_more and (people, shown) != published
    return {"more": text if is_more else "", "fewer": text if is_fewer else ""}


def published_suite() -> Suite:
    """Return the suite of known ReID sets."""
    return [
        expect_in(
            "more",
            [""],
            "a known ReID set has at most its published people and crops",
            because="Files were added, or a different set has this name; its scores would be compared with published "
            "ones.",
            remedy="Fetch the set again, or give it another name in params.yaml (download).",
        ),
        expect_in(
            "fewer",
            [""],
            "a known ReID set has all its published people and crops",
            because="Scores on a subset are higher and cannot be compared with published ones.",
            remedy="Nothing if the subset is intended; otherwise unpack the set again.",
            level=WARNING,
        ),
    ]
