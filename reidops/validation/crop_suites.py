"""Expectation suites of the crops: one suite per table of crop_tables.py and leaks.py."""

import great_expectations.expectations as gxe

from reidops.tables import CROPS
from reidops.validation.expectations import Suite, expect, expect_between, expect_equal, expect_in
from reidops.validation.findings import WARNING
from reidops.validation.leaks import LEGIBLE_HEIGHT

_CONVERT_AGAIN = "Make the crops again: `dvc repro -f convert`."
_SPLIT_AGAIN = "Change the split in params.yaml (download, convert), then `dvc repro convert`."
_NO_FAULT = [""]
_REPEATED = (
    "A picture that every training video holds, such as a title, a test picture or a drawing, does not show that one "
    "video is a copy of another."
)
_REPEATED_REMEDY = (
    "Look at the two pictures. If the videos are copies of each other, remove them from download.train, or from "
    "download.test and download.track."
)
_FOUR_SPLITS = ["train", "val", "query", "gallery"]


def crops_suite() -> Suite:
    """Return the suite of the crops table: its columns, its places in crops.tar, its values and its frames."""
    return [*_crops_contract(), *_crops_in_tar(), *_crops_values(), *_crops_frames()]


def _crops_contract() -> Suite:
    return [
        expect(
            gxe.ExpectTableColumnsToMatchSet,
            "the table has the columns of the crops contract",
            because="Training and evaluation read the columns by these names.",
            remedy=_CONVERT_AGAIN,
            column_set=list(CROPS.columns),
            exact_match=False,
        ),
        expect(
            gxe.ExpectTableRowCountToBeBetween,
            "the table has at least one crop",
            because="A model cannot be trained on an empty table.",
            remedy="Loosen the filters of convert (visibility, size, crops per person).",
            min_value=1,
        ),
    ]


def _crops_in_tar() -> Suite:
    return [
        expect(
            gxe.ExpectColumnValuesToBeUnique,
            "every path is unique",
            because="Two rows with one path are the same picture, so a query could match itself.",
            remedy=_CONVERT_AGAIN,
            column="path",
        ),
        expect_in(
            "fault",
            _NO_FAULT,
            "crops.tar holds the crop's whole picture, of the stated size, at the crop's offset",
            because="Training reads crops by offset; a table of another tar assigns pictures to the wrong people.",
            remedy=_CONVERT_AGAIN,
        ),
    ]


def _crops_values() -> Suite:
    return [
        expect_in(
            "split",
            _FOUR_SPLITS,
            "split is train, val, query or gallery",
            because="Rows of another split are never read.",
            remedy=_CONVERT_AGAIN,
        ),
        *(
            expect_between(
                side,
                f"{side} is at least 1 px",
                because="A crop without pixels shows no person.",
                remedy=_CONVERT_AGAIN,
                min_value=1,
            )
            for side in ("width", "height")
        ),
        expect_between(
            "height",
            f"a crop is at least {LEGIBLE_HEIGHT} px high",
            because="Lower crops do not show who the person is. Many of them are boxes cut off at the frame's edge.",
            remedy="Nothing for a few crops; otherwise set convert.min_height.",
            level=WARNING,
            min_value=LEGIBLE_HEIGHT,
        ),
        expect_between(
            "visibility",
            "visibility is between 0 and 1",
            because="It is a fraction, not a percentage.",
            remedy=_CONVERT_AGAIN,
            min_value=0,
            max_value=1,
        ),
    ]


def _crops_frames() -> Suite:
    return [
        expect_in(
            "leak",
            _NO_FAULT,
            "no crop of train or val comes from a test or tracking frame",
            because="Scores on frames that the model was trained on are too high.",
            remedy=_SPLIT_AGAIN,
        ),
    ]


def learnt_crops_suite() -> Suite:
    """Return the suite of the crops of train, val and query: each has a known person."""
    return [
        expect_between(
            "pid",
            "a crop of train, val or query has a known person (pid 0 or above)",
            because="pid −1 marks distractors, which match no query. As a class they would be one person.",
            remedy=_CONVERT_AGAIN,
            min_value=0,
        ),
    ]


def decoded_crops_suite() -> Suite:
    """Return the suite of the decoded crops."""
    whole = expect_in(
        "fault",
        _NO_FAULT,
        "a crop decodes without an error or a warning of the decoder",
        because="A decoder fills the damaged part of a JPEG with grey or wrong colours, which would be trained on.",
        remedy="Fetch the set again, or remove the picture from it; then `dvc repro convert`.",
    )
    sizes = [
        expect_equal(
            f"decoded_{side}",
            side,
            f"the {side} of a decoded crop equals the {side} in the table",
            because="A different size means that it is a different picture.",
            remedy=_CONVERT_AGAIN,
        )
        for side in ("width", "height")
    ]
    return [whole, *sizes]


def people_suite(min_crops_per_person: int) -> Suite:
    """Return the suite of the people of train and val."""
    return [
        expect_between(
            "num_crops",
            "a person of train or val has at least 2 crops",
            because="A triplet needs two pictures of one person.",
            remedy="Raise convert.min_per_person (MOT sets), or remove the person from the set.",
            min_value=2,
        ),
        expect_between(
            "num_crops",
            f"a person of train or val has at least {min_crops_per_person} crops",
            because="From fewer pictures a network learns the background instead of the person.",
            remedy="Nothing for a few people; otherwise raise convert.min_per_person (MOT sets), or lower "
            "validate.min_crops_per_person.",
            level=WARNING,
            min_value=min_crops_per_person,
        ),
    ]


def training_suite(min_people: int) -> Suite:
    """Return the suite of the train split as a whole."""
    return [
        expect_between(
            "num_people",
            f"train has at least {min_people} people",
            because="A batch needs several people, and a model of few people does not generalize to others.",
            remedy="Add train parts, loosen the filters of convert, or lower validate.min_people.",
            min_value=min_people,
        ),
    ]


def held_out_suite() -> Suite:
    """Return the suite of the val split as a whole."""
    return [
        expect_between(
            "num_people",
            "val has at least 2 people",
            because="The checkpoint is chosen by their score. Without them the last epoch is used.",
            remedy="Raise convert.val_split.",
            level=WARNING,
            min_value=2,
        ),
    ]


def test_sets_suite() -> Suite:
    """Return the suite of the test sets, each as a whole."""
    expected = (
        ("num_query", "a test set has a query", "Without a query its scores are undefined."),
        ("num_gallery", "a test set has a gallery", "Without a gallery a query has no crops to be compared with."),
        ("num_matched_queries", "at least one query of a test set has a match", "Without a match no score is defined."),
    )
    remedy = "Loosen the gap and the filters of convert, or remove the set from download.test."
    return [
        expect_between(column, statement, because=because, remedy=remedy, min_value=1)
        for column, statement, because in expected
    ]


def published_queries_suite() -> Suite:
    """Return the suite of the queries of published sets."""
    return [
        expect_between(
            "num_matches",
            "every published query has a match (in another camera if the set has several)",
            because="Queries without a match are left out of the scores. Published sets have a few of them.",
            remedy="Nothing for a few queries: num_unmatched_queries counts them. For many, fetch the set again.",
            level=WARNING,
            min_value=1,
        ),
    ]


def timed_queries_suite() -> Suite:
    """Return the suite of the queries that `convert` chose by time."""
    return [
        expect_between(
            "num_matches",
            "every query has a match in the gallery",
            because="convert chooses only queries that have a match.",
            remedy=_CONVERT_AGAIN,
            min_value=1,
        ),
        expect_in(
            "num_in_frame",
            [0],
            "no gallery crop shows the query's person in the query's own frame",
            because="The two crops are the same picture, so the match is trivial.",
            remedy=_CONVERT_AGAIN,
        ),
    ]


def labels_suite() -> Suite:
    """Return the suite of the lines of the label files (meta/train_80.txt and the others)."""
    return [
        expect_in(
            "fault",
            _NO_FAULT,
            "every line has the path of a crop and a label of exactly one person",
            because="mmdetection's tools train on these files; a label of two people makes them one class.",
            remedy=_CONVERT_AGAIN,
        ),
        expect_equal(
            "split",
            "listed_in",
            "a label file lists only crops of its split",
            because="A val crop in the train file is trained on and then used to choose the checkpoint.",
            remedy=_CONVERT_AGAIN,
        ),
        expect(
            gxe.ExpectCompoundColumnsToBeUnique,
            "a label file lists each crop once",
            because="A second line counts the crop twice.",
            remedy=_CONVERT_AGAIN,
            column_list=["file", "path"],
        ),
    ]


def label_files_suite() -> Suite:
    """Return the suite of the label files as wholes."""
    return [
        expect_equal(
            "num_lines",
            "num_crops",
            "a label file lists every crop of its split",
            because="Tools that read the file do not train on crops that are not listed.",
            remedy=_CONVERT_AGAIN,
        ),
        expect_equal(
            "num_labels",
            "num_expected_labels",
            "labels are consecutive",
            because="A classifier has one output per label up to the last; a missing label is never trained.",
            remedy=_CONVERT_AGAIN,
        ),
        expect_equal(
            "first_label",
            "expected_first_label",
            "training labels start at 0",
            because="Classifiers count their outputs from 0.",
            remedy=_CONVERT_AGAIN,
        ),
    ]


def scenes_suite() -> Suite:
    """Return the suite of the videos that are both in train and in test or track."""
    return [
        expect_in(
            "fault",
            _NO_FAULT,
            "a video in both train and test or track is split at its half (download.split) and shares no frame",
            because="MOT16 and MOT17 hold the same videos, and scores on a video that the model was trained on are too "
            "high.",
            remedy="Remove the video from one of the parts, or set download.split to half.",
        ),
        expect_in(
            "divided",
            _NO_FAULT,
            "a video does not have some people in train and others in test",
            because="The model was trained on the scene, the light and the camera of the test people, so that scores "
            "are too high.",
            remedy="Nothing if download.split: identity is intended; scene and k-fold test on other videos.",
            level=WARNING,
        ),
        expect_in(
            "transductive",
            _NO_FAULT,
            "no scored frame is used without labels",
            because="The model adapts to the people on whom it is scored, so that scores are not comparable.",
            remedy="Nothing if it is intended; else set download.adapt_on_test_frames to false.",
            level=WARNING,
        ),
    ]


def sides_suite() -> Suite:
    """Return the suite of every person's sides of the split."""
    return [
        expect_in(
            "fault",
            _NO_FAULT,
            "a person is in only one of train, val and test (except in videos that are split by time)",
            because="Scores on people of the training set do not measure how the model generalizes to other people.",
            remedy=_SPLIT_AGAIN,
        ),
    ]


def copies_suite() -> Suite:
    """Return the suite of the content of every crop of train and val."""
    return [
        expect_in(
            "copy_fault",
            _NO_FAULT,
            "no crop has the same bytes as a crop on another side of the split (train, val, test)",
            because="The model would be scored, or its checkpoint chosen, on a picture that it was trained on.",
            remedy="Remove the picture from one of the two named sets, or one set from params.yaml (download).",
        ),
    ]


def repeated_crops_suite() -> Suite:
    """Return the suite of the crops that every training video holds."""
    return [
        expect_in(
            "repeated_fault",
            _NO_FAULT,
            "no crop of every training video has the same bytes as a crop on another side of the split",
            because=_REPEATED,
            remedy=_REPEATED_REMEDY,
            level=WARNING,
        ),
    ]


def frame_copies_suite() -> Suite:
    """Return the suite of the training frames, compared with the test and tracking frames of other sequences."""
    return [
        expect_in(
            "copy_fault",
            _NO_FAULT,
            "no training frame has the same bytes as a test or tracking frame of another sequence",
            because="It is the same video under another name, so the model would be scored on what it was trained on.",
            remedy="Remove one of the two sequences: from download.train, download.adapt or download.videos, or from "
            "download.test and download.track.",
        ),
        expect_in(
            "repeated_fault",
            _NO_FAULT,
            "no frame of every training sequence has the same bytes as a test or tracking frame",
            because=_REPEATED,
            remedy=_REPEATED_REMEDY,
            level=WARNING,
        ),
        expect_in(
            "twin_fault",
            _NO_FAULT,
            "no sampled training frame is a near-duplicate of a test or tracking frame of another sequence",
            because="A video that was encoded or scaled again shows the same pictures in other bytes.",
            remedy="Compare the two frames. If one video is a copy of the other, remove it from download.train, or "
            "from download.test and download.track.",
            level=WARNING,
        ),
    ]


def near_duplicates_suite(max_share: float) -> Suite:
    """Return the suite of the hashed crops as a whole."""
    return [
        expect_in(
            "twin_fault",
            _NO_FAULT,
            f"at most {max_share:.2%} of the crops have a near-duplicate on another side of the split",
            because="A picture that is on both sides, encoded again or one frame later, is an easy match that raises "
            "the scores.",
            remedy="Compare the pairs in near_duplicates.csv; remove one side, or leave a gap of frames between the "
            "sides.",
            level=WARNING,
            mostly=1 - max_share,
        ),
    ]
