"""What is expected of the numbers in the crops table: one suite per table of identities.py."""

import great_expectations.expectations as gxe

from reidops.validation.expectations import expect
from reidops.validation.findings import WARNING

Suite = list[gxe.Expectation]

_CONVERT_AGAIN = "Make the crops again: `dvc repro -f convert`."
_MEND_SET = "Mend the set's files or lists, then `dvc repro -f download convert`."


def persons_suite() -> Suite:
    """Return what is expected of pids and the folders of people."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a pid stands for one person: all its crops lie in one folder",
            because="Sets that are joined count their people from the same numbers; a shared pid makes two people one "
            "class.",
            remedy=_CONVERT_AGAIN,
            column="num_folders",
            value_set=[1],
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a person's folder holds one pid",
            because="Two pids for one person teach that somebody is unlike himself.",
            remedy=_CONVERT_AGAIN,
            column="num_pids",
            value_set=[1],
        ),
    ]


def numbers_suite() -> Suite:
    """Return what is expected of all pids together."""
    return [
        expect(
            gxe.ExpectColumnPairValuesToBeEqual,
            "pids count from 0 without a gap",
            because="`convert` numbers them so; a gap means that rows were taken out of the table, or two tables "
            "joined.",
            remedy=f"Nothing where that was meant. {_CONVERT_AGAIN}",
            level=WARNING,
            column_A="num_pids",
            column_B="num_expected_pids",
        ),
    ]


def tracklets_suite() -> Suite:
    """Return what is expected of the tracklets of video sets."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            f"a tracklet {says}",
            because=because,
            remedy=_MEND_SET,
            column=column,
            value_set=[1],
        )
        for column, says, because in (
            ("num_pids", "shows one person", "Its crops are embedded together: a second person spoils the mean."),
            ("num_cameras", "comes from one camera", "The camera rule leaves out a whole tracklet by its camera."),
            (
                "num_splits",
                "stands in one split",
                "Neighbouring frames are one picture: in query and gallery they find each other.",
            ),
        )
    ]


def cameras_suite() -> Suite:
    """Return what is expected of camids."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a camid stands for one camera of one set",
            because="The ranking leaves out crops of the query's own camera: a shared number leaves out true matches.",
            remedy=_CONVERT_AGAIN,
            column="num_scenes",
            value_set=[1],
        ),
    ]
