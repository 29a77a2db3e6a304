"""Published counts of ReID sets: people and crops (tracklets, where the set has them) of training, query and gallery.

A set with fewer is a user's cut of it: that is told and passed, since people try things on cuts, but its figures
compare with nobody's. A set with more is no cut: files were added, or another set bears the name; that stops.
"""

from collections.abc import Sequence as Rows

import great_expectations.expectations as gxe
import pandas as pd

from reidops.datasets.families import base_name
from reidops.datasets.sets import PUBLISHED_COUNTS
from reidops.parts import Part
from reidops.validation.expectations import expect
from reidops.validation.findings import WARNING

# train, query, gallery → people, crops or tracklets; distractors are crops, but no people
Counts = dict[str, tuple[int, int]]

_ROLES = {"train": ("train",), "test": ("query", "gallery")}
_SPLITS = {"train": ["train", "val"], "query": ["query"], "gallery": ["gallery"]}


def published_counts_of(dataset: str, protocol: str) -> Counts:
    """Return what is published of a set under a protocol, {} where nothing is; "*" stands for every protocol.

    >>> published_counts_of("Market-1501", "")["query"], published_counts_of("somebody's", "")
    ((750, 3368), {})
    """
    by_protocol = PUBLISHED_COUNTS.get(base_name(dataset), {})
    return by_protocol.get(protocol, by_protocol.get("*", {}))


def published_table(crops: pd.DataFrame, parts: Rows[Part], file: str) -> pd.DataFrame:
    """Return one row per known set and role: file, row (0), dataset, role, more, fewer.

    `more` and `fewer` tell published and found counts where these differ in that way, "" otherwise.
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
    told = (
        f"{dataset} {role} has {people:,} people and {shown:,} {word}, published are {published[0]:,} and "
        f"{published[1]:,}"
    )
    is_more = people > published[0] or shown > published[1]
    is_fewer = not is_more and (people, shown) != published
    return {"more": told if is_more else "", "fewer": told if is_fewer else ""}


def published_suite() -> list[gxe.Expectation]:
    """Return what is expected of known ReID sets."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a known ReID set has no more people and crops than are published",
            because="Then files were added, or another set bears its name, and its figures are taken for those of the "
            "published set.",
            remedy="Fetch the set again, or give it a name of its own in params.yaml (download).",
            column="more",
            value_set=[""],
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a known ReID set has all the people and crops that are published",
            because="Figures on a cut of a set are easier to reach and compare with nobody's.",
            remedy="Nothing where the cut is meant; otherwise unpack the set again.",
            level=WARNING,
            column="fewer",
            value_set=[""],
        ),
    ]
