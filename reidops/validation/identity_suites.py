"""Expectation suites of pids, tracklets and camids: one suite per table of identity_tables.py."""

from reidops.validation.expectations import Suite, expect_equal, expect_in
from reidops.validation.findings import WARNING

_CONVERT_AGAIN = "Make the crops again: `dvc repro -f convert`."
_CORRECT_SET = "Correct the files or lists of the set, then `dvc repro -f download convert`."


def persons_suite() -> Suite:
    """Return the suite of pids and the folders of people."""
    return [
        expect_in(
            "num_folders",
            [1],
            "all crops of a pid are in one folder",
            because="Data sets number their people from 0 or 1; a pid of two sets makes two people one class.",
            remedy=_CONVERT_AGAIN,
        ),
        expect_in(
            "num_pids",
            [1],
            "a person's folder has one pid",
            because="With two pids, crops of one person are trained as two classes.",
            remedy=_CONVERT_AGAIN,
        ),
    ]


def numbers_suite() -> Suite:
    """Return the suite of all pids together."""
    return [
        expect_equal(
            "num_pids",
            "num_expected_pids",
            "pids are consecutive from 0",
            because="convert numbers them so. A gap means that rows were removed, or that two tables were joined.",
            remedy=f"Nothing if that was intended. {_CONVERT_AGAIN}",
            level=WARNING,
        ),
    ]


def tracklets_suite() -> Suite:
    """Return the suite of the tracklets of video sets."""
    expected = (
        ("num_pids", "a tracklet shows one person", "Its embedding is the mean of its crops."),
        ("num_cameras", "a tracklet is of one camera", "The ranking leaves out tracklets of the query's own camera."),
        ("num_splits", "a tracklet is in one split", "Neighbouring frames in query and gallery are trivial matches."),
    )
    return [
        expect_in(column, [1], statement, because=because, remedy=_CORRECT_SET)
        for column, statement, because in expected
    ]


def cameras_suite() -> Suite:
    """Return the suite of camids."""
    return [
        expect_in(
            "num_scenes",
            [1],
            "a camid refers to one camera of one set",
            because="The ranking leaves out crops of the query's own camera. A shared camid leaves out true matches.",
            remedy=_CONVERT_AGAIN,
        ),
    ]
