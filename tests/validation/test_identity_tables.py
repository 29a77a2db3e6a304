"""Each expectation of pids, tracklets and camids detects an injected fault."""

import pandas as pd
import pytest
from inspect_tables import findings_of, only, statements_of, titles

from reidops.validation import identity_suites, identity_tables

pytestmark = pytest.mark.slow

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


def found(crops: pd.DataFrame, statement: str | None = None) -> set[str]:
    """Return the statements of the expectations that the crops do not meet."""
    pairs = [
        (identity_tables.persons_table(crops), identity_suites.persons_suite()),
        (identity_tables.numbers_table(crops, FILE), identity_suites.numbers_suite()),
        (identity_tables.tracklets_table(crops), identity_suites.tracklets_suite()),
        (identity_tables.cameras_table(crops), identity_suites.cameras_suite()),
    ]
    if statement is not None:
        pairs = [(table, chosen) for table, suite in pairs if (chosen := only(suite, statement))]
    return set().union(*(titles(findings_of(table, suite, "row")) for table, suite in pairs if len(table)))


FAULTS = {
    "all crops of a pid are in one folder": {"pid": 0},
    "a person's folder has one pid": {"path": "imgs/A_1/9.jpg"},
    "pids are consecutive from 0": {"pid": 7},
    "a tracklet shows one person": {"tracklet": 0},
    "a tracklet is of one camera": {"tracklet": 0},
    "a tracklet is in one split": {"split": "query", "tracklet": 0},
    "a camid refers to one camera of one set": {"camid": 2},
}


def test_valid_numbers_have_no_finding_with_distractors(crops):
    assert found(crops) == set()
    assert found(crops.assign(tracklet=-1)) == set()


@pytest.mark.parametrize(("statement", "values"), FAULTS.items())
def test_a_number_of_two_people_or_cameras_is_detected(crops, statement, values):
    changed = crops.copy()
    for column, value in values.items():
        changed.loc[2, column] = value
    assert found(changed, statement) == {statement}


def test_every_expectation_of_the_numbers_has_an_injected_fault():
    suites = (
        identity_suites.persons_suite,
        identity_suites.numbers_suite,
        identity_suites.tracklets_suite,
        identity_suites.cameras_suite,
    )
    assert set().union(*(statements_of(suite()) for suite in suites)) == set(FAULTS)


def test_the_first_failing_crop_is_reported(crops):
    shared = crops.assign(pid=crops["pid"].replace(1, 0))
    (finding,) = findings_of(identity_tables.persons_table(shared), identity_suites.persons_suite()[:1], "row")
    assert finding.places == ("crops.parquet: row 0: num_folders is 2", "crops.parquet: row 2: num_folders is 2")
