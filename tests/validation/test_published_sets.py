"""Published counts of ReID sets: the whole set passes, a cut is told, more than the set stops."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inspect_tables import findings_of

from reidops.datasets.sets import PUBLISHED_COUNTS, SETS
from reidops.parts import Part
from reidops.validation.published_sets import published_counts_of, published_suite, published_table

PARTS = [Part(part, "VIPeR", "viper", Path("raw/VIPeR"), "", "VIPeR", 0, 0, "0") for part in ("train", "test")]


def viper() -> pd.DataFrame:
    """Return whole VIPeR: 316 people train with two crops each, 316 are a query and a gallery crop each."""
    pid = np.repeat(np.arange(632), 2)
    split = np.where(pid < 316, np.where(pid < 300, "train", "val"), np.tile(["query", "gallery"], 632))
    return pd.DataFrame({"dataset": "VIPeR", "pid": pid, "tracklet": -1, "split": split})


def findings(crops: pd.DataFrame, parts: list[Part] = PARTS) -> list:
    table = published_table(crops, parts, "crops.parquet")
    return findings_of(table, published_suite(), row_word="") if len(table) else []


def test_a_whole_set_has_no_finding():
    assert len(published_table(viper(), PARTS, "")) == 3
    assert findings(viper()) == []


def test_a_cut_of_a_set_is_told_and_passes():
    (finding,) = findings(viper().iloc[4:])
    assert finding.level == "warning"
    assert finding.places[0] == "crops.parquet: VIPeR train has 314 people and 628 crops, published are 316 and 632"


def test_more_than_the_set_is_an_error():
    more = pd.concat([viper(), pd.DataFrame([{"dataset": "VIPeR", "pid": -1, "tracklet": -1, "split": "gallery"}])])
    (finding,) = findings(more)
    assert (finding.level, finding.places[0]) == (
        "error",
        "crops.parquet: VIPeR gallery has 316 people and 317 crops, published are 316 and 316",
    )


def test_a_part_that_is_not_used_is_not_asked_for():
    assert findings(viper()[lambda crops: crops["split"].isin(["train", "val"])], PARTS[:1]) == []


def test_tracklets_are_counted_where_a_set_has_them():
    pid = np.repeat(np.arange(89), 10)
    crops = pd.DataFrame({"dataset": "PRID2011", "pid": pid, "tracklet": np.arange(890) // 5, "split": "train"})
    part = Part("train", "PRID2011", "prid2011", Path("raw"), "", "PRID2011", 0, 0, "0")
    assert findings(crops, [part]) == []


def test_a_set_of_somebodys_own_is_not_compared():
    assert published_counts_of("my Market", "") == {}
    assert published_counts_of("CUHK03:labeled", "labeled")["gallery"] == (700, 5_328)


@pytest.mark.parametrize("dataset", SETS)
def test_every_protocol_of_a_known_set_has_counts(dataset):
    protocols = SETS[dataset].protocols
    assert [name for name in protocols if not published_counts_of(dataset, name)] == [
        name for name in protocols if "-classic-" in name
    ]
    assert set(PUBLISHED_COUNTS[dataset]) <= {*protocols, "*"}
