"""A complete ReID set has no finding, a subset is a warning, and additional crops are an error."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from inspect_tables import findings_of

from reidops.datasets.sets import PUBLISHED_COUNTS, SETS
from reidops.parts import Part
from reidops.validation.published_sets import published_counts_of, published_suite, published_table

pytestmark = pytest.mark.slow

PARTS = [Part(part, "VIPeR", "viper", Path("raw/VIPeR"), "", "VIPeR", 0, 0, "0") for part in ("train", "test")]


def viper() -> pd.DataFrame:
    """Return a table like VIPeR's: 316 training people with two crops, 316 test people with query and gallery crop."""
    pid = np.repeat(np.arange(632), 2)
    split = np.where(pid < 316, np.where(pid < 300, "train", "val"), np.tile(["query", "gallery"], 632))
    return pd.DataFrame({"dataset": "VIPeR", "pid": pid, "tracklet": -1, "split": split})


def findings(crops: pd.DataFrame, parts: list[Part] = PARTS) -> list:
    table = published_table(crops, parts, "crops.parquet")
    return findings_of(table, published_suite(), row_word="") if len(table) else []


def test_a_complete_set_has_no_finding():
    assert len(published_table(viper(), PARTS, "")) == 3
    assert findings(viper()) == []


def test_a_subset_is_a_warning():
    (finding,) = findings(viper().iloc[4:])
    assert finding.level == "warning"
    assert all(fact in finding.places[0] for fact in ("VIPeR train", "314 people", "628 crops", "316 and 632"))


def test_additional_crops_are_an_error():
    more = pd.concat([viper(), pd.DataFrame([{"dataset": "VIPeR", "pid": -1, "tracklet": -1, "split": "gallery"}])])
    (finding,) = findings(more)
    assert finding.level == "error"
    assert all(fact in finding.places[0] for fact in ("VIPeR gallery", "317 crops", "316 and 316"))


def test_a_part_that_is_not_used_is_not_compared():
    assert findings(viper()[lambda crops: crops["split"].isin(["train", "val"])], PARTS[:1]) == []


def test_tracklets_are_counted_if_a_set_has_them():
    pid = np.repeat(np.arange(89), 10)
    crops = pd.DataFrame({"dataset": "PRID2011", "pid": pid, "tracklet": np.arange(890) // 5, "split": "train"})
    part = Part("train", "PRID2011", "prid2011", Path("raw"), "", "PRID2011", 0, 0, "0")
    assert findings(crops, [part]) == []


def test_an_unknown_set_is_not_compared():
    assert published_counts_of("my Market", "") == {}
    assert published_counts_of("CUHK03:labeled", "labeled")["gallery"] == (700, 5_328)


@pytest.mark.parametrize("dataset", SETS)
def test_every_protocol_of_a_known_set_has_counts(dataset):
    protocols = SETS[dataset].protocols
    assert [name for name in protocols if not published_counts_of(dataset, name)] == [
        name for name in protocols if "-classic-" in name
    ]
    assert set(PUBLISHED_COUNTS[dataset]) <= {*protocols, "*"}
