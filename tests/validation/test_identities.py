"""Numbers stand for one thing: each expectation of pids, tracklets and camids catches a planted fault."""

import pandas as pd
import pytest
from inspect_tables import findings_of, only, says_of, titles

from reidops.validation import identities, identity_suites

FILE = "crops.parquet"


@pytest.fixture
def crops() -> pd.DataFrame:
    """Return six crops of three people, two tracklets each of person 0 and 1, and one distractor."""
    rows = [
        ("imgs/A_1/0.jpg", "A", 0, 0, "A", 0, "train"),
        ("imgs/A_1/1.jpg", "A", 0, 0, "A", 0, "train"),
        ("imgs/A_2/0.jpg", "A", 1, 1, "A", 1, "train"),
        ("imgs/B_1/0.jpg", "B", 2, 2, "B", 0, "gallery"),
        ("imgs/B_0/0.jpg", "B", -1, 2, "B", 1, "gallery"),
        ("imgs/B_9/0.jpg", "B", -1, 2, "B", 2, "gallery"),
    ]
    table = pd.DataFrame(rows, columns=["path", "dataset", "pid", "camid", "scene", "tracklet", "split"])
    return table.assign(file=FILE, row=range(len(rows)))


def found(crops: pd.DataFrame, says: str | None = None) -> set[str]:
    """Return which expectations the crops do not meet, of all or of those that say this."""
    pairs = [
        (identities.persons_table(crops), identity_suites.persons_suite()),
        (identities.numbers_table(crops, FILE), identity_suites.numbers_suite()),
        (identities.tracklets_table(crops), identity_suites.tracklets_suite()),
        (identities.cameras_table(crops), identity_suites.cameras_suite()),
    ]
    if says is not None:
        pairs = [(table, chosen) for table, suite in pairs if (chosen := only(suite, says))]
    return set().union(*(titles(findings_of(table, suite, "row")) for table, suite in pairs if len(table)))


PLANTED = {
    "a pid stands for one person: all its crops lie in one folder": {"pid": 0},
    "a person's folder holds one pid": {"path": "imgs/A_1/9.jpg"},
    "pids count from 0 without a gap": {"pid": 7},
    "a tracklet shows one person": {"tracklet": 0},
    "a tracklet comes from one camera": {"tracklet": 0},
    "a tracklet stands in one split": {"split": "query", "tracklet": 0},
    "a camid stands for one camera of one set": {"camid": 2},
}


def test_sound_numbers_have_no_finding_distractors_included(crops):
    assert found(crops) == set()
    assert found(crops.assign(tracklet=-1)) == set()


@pytest.mark.parametrize(("says", "values"), PLANTED.items())
def test_a_number_that_stands_for_two_things_is_caught(crops, says, values):
    planted = crops.copy()
    for column, value in values.items():
        planted.loc[2, column] = value
    assert found(planted, says) == {says}


def test_every_expectation_of_the_numbers_has_a_planted_fault():
    suites = (
        identity_suites.persons_suite,
        identity_suites.numbers_suite,
        identity_suites.tracklets_suite,
        identity_suites.cameras_suite,
    )
    assert set().union(*(says_of(suite()) for suite in suites)) == set(PLANTED)


def test_the_first_crop_at_fault_is_named(crops):
    shared = crops.assign(pid=crops["pid"].replace(1, 0))
    (finding,) = findings_of(identities.persons_table(shared), identity_suites.persons_suite()[:1], "row")
    assert finding.places == ("crops.parquet: row 0: num_folders is 2", "crops.parquet: row 2: num_folders is 2")
