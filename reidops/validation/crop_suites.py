"""What is expected of the crops: one suite per table of crop_tables.py and leaks.py."""

import great_expectations.expectations as gxe

from reidops.tables import CROPS
from reidops.validation.expectations import expect
from reidops.validation.findings import WARNING
from reidops.validation.leaks import LEGIBLE_HEIGHT

Suite = list[gxe.Expectation]

_CONVERT_AGAIN = "Make the crops again: `dvc repro -f convert`."
_SPLIT_AGAIN = "Change the split in params.yaml (download, convert), then `dvc repro convert`."


def crops_suite() -> Suite:
    """Return what is expected of the crops table."""
    return [*_crops_contract(), *_crops_in_tar(), *_crops_values(), *_crops_frames()]


def _crops_contract() -> Suite:
    return [
        expect(
            gxe.ExpectTableColumnsToMatchSet,
            "the table has the columns of the crops contract",
            because="Training, evaluation and people read columns by these names.",
            remedy=_CONVERT_AGAIN,
            column_set=list(CROPS.columns),
            exact_match=False,
        ),
        expect(
            gxe.ExpectTableRowCountToBeBetween,
            "there are crops",
            because="Nothing can be learnt from an empty table.",
            remedy="Loosen convert's filters (visibility, size, crops per person).",
            min_value=1,
        ),
    ]


def _crops_in_tar() -> Suite:
    return [
        expect(
            gxe.ExpectColumnValuesToBeUnique,
            "every path stands once",
            because="A path that stands twice is one picture with two rows: it can be its own match.",
            remedy=_CONVERT_AGAIN,
            column="path",
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "crops.tar holds this crop's picture, whole and of the stated size, where the table says",
            because="Training reads by offset: a table beside another tar gives people each other's pictures.",
            remedy=_CONVERT_AGAIN,
            column="fault",
            value_set=[""],
        ),
    ]


def _crops_values() -> Suite:
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet, "split is train, val, query or gallery",
            because="A row of another split is never read.", remedy=_CONVERT_AGAIN,
            column="split", value_set=["train", "val", "query", "gallery"],
        ),
        *(
            expect(
                gxe.ExpectColumnValuesToBeBetween, f"{side} is at least 1 "
                                                   f"px", because="A crop without pixels shows nobody.",
                remedy=_CONVERT_AGAIN, column=side, min_value=1,
            )
            for side in ("width", "height")
        ),
        expect(
            gxe.ExpectColumnValuesToBeBetween, f"a crop is at least {LEGIBLE_HEIGHT} px high",
            because="Of fewer rows no network and no person can tell who it is; many of them are boxes cut at the "
                    "frame's edge.",
            remedy="Nothing for a few; otherwise set "
                   "convert.min_height.", level=WARNING, column="height", min_value=LEGIBLE_HEIGHT,
        ),
        expect(
            gxe.ExpectColumnValuesToBeBetween, "visibility lies in 0 … 1", because="It is a share, not a percentage.",
            remedy=_CONVERT_AGAIN, column="visibility", min_value=0, max_value=1,
        ),
    ]  # fmt: skip


def _crops_frames() -> Suite:
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "no crop of train or val comes from a frame that is tested or tracked",
            because="A model that has seen the very frame it is scored on looks better than it is.",
            remedy=_SPLIT_AGAIN,
            column="leak",
            value_set=[""],
        ),
    ]


def learnt_crops_suite() -> Suite:
    """Return what is expected of the crops of train, val and query: everybody there is somebody."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            "a crop of train, val or query shows a known person (pid 0 or above)",
            because="pid −1 marks distractors, who match nobody: as a class they would be one person with many faces.",
            remedy=_CONVERT_AGAIN,
            column="pid",
            min_value=0,
        ),
    ]


def decoded_crops_suite() -> Suite:
    """Return what is expected of the crops that were decoded."""
    whole = expect(
        gxe.ExpectColumnValuesToBeInSet,
        "a crop can be decoded whole, without a complaint of the decoder",
        because="A JPEG that is damaged in its middle is painted over in grey or wrong colours, and those would be "
        "learnt.",
        remedy="Fetch the set again, or take the picture out of it; then `dvc repro convert`.",
        column="fault",
        value_set=[""],
    )
    sizes = [
        expect(
            gxe.ExpectColumnPairValuesToBeEqual,
            f"a decoded crop has the {side} that the table states",
            because="Another size means another picture.",
            remedy=_CONVERT_AGAIN,
            column_A=f"decoded_{side}",
            column_B=side,
            ignore_row_if="either_value_is_missing",
        )
        for side in ("width", "height")
    ]
    return [whole, *sizes]


def people_suite(min_crops_per_person: int) -> Suite:
    """Return what is expected of every person of train and val."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            "a person of train or val has at least 2 crops",
            because="A triplet needs two pictures of one person.",
            remedy="Raise convert.min_per_person (MOT sets), or take the person out of the set.",
            column="num_crops",
            min_value=2,
        ),
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            f"a person of train or val has at least {min_crops_per_person} crops",
            because="From fewer pictures a network learns the background rather than the person.",
            remedy="Nothing for a few; otherwise raise convert.min_per_person (MOT sets), or lower "
            "validate.min_crops_per_person.",
            level=WARNING,
            column="num_crops",
            min_value=min_crops_per_person,
        ),
    ]


def training_suite(min_people: int) -> Suite:
    """Return what is expected of the train split as a whole."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            f"at least {min_people} people train",
            because="Fewer people than a batch holds cannot be told apart in one, and a model of few people knows "
            "nobody else.",
            remedy="Add train parts, loosen convert's filters, or lower validate.min_people.",
            column="num_people",
            min_value=min_people,
        ),
    ]


def held_out_suite() -> Suite:
    """Return what is expected of the val split as a whole."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            "at least 2 people are held out (val)",
            because="They choose the checkpoint; without them the last epoch is taken.",
            remedy="Raise convert.val_split.",
            level=WARNING,
            column="num_people",
            min_value=2,
        ),
    ]


def test_sets_suite() -> Suite:
    """Return what is expected of every test set as a whole."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            says,
            because=because,
            remedy="Loosen convert's gap and filters, or take the set out of download's test parts.",
            column=column,
            min_value=1,
        )
        for column, says, because in (
            ("num_query", "a test set has a query", "Without one its scores are undefined."),
            ("num_gallery", "a test set has a gallery", "A query without a gallery has nothing to be found in."),
            (
                "num_matched_queries",
                "a query of a test set has a match",
                "Without a match for any query no score is defined.",
            ),
        )
    ]


def published_queries_suite() -> Suite:
    """Return what is expected of every query of a published set."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            "every published query has a match, in another camera where the set has several",
            because="A query without a match is left out of the scores; published sets hold a few.",
            remedy="Nothing for a few: they are counted as num_unmatched_queries. Of many, fetch the set again.",
            level=WARNING,
            column="num_matches",
            min_value=1,
        ),
    ]


def timed_queries_suite() -> Suite:
    """Return what is expected of every query that `convert` chose by time."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            "every query has a match in the gallery",
            because="Queries are chosen so that they have one.",
            remedy=_CONVERT_AGAIN,
            column="num_matches",
            min_value=1,
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "no query has a gallery crop of its person from its own frame",
            because="The two are one picture: finding it is no recognition.",
            remedy=_CONVERT_AGAIN,
            column="num_in_frame",
            value_set=[0],
        ),
    ]


def labels_suite() -> Suite:
    """Return what is expected of the lines of meta/train_80.txt and its like."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a line's path is a crop, and its label stands for one person and no other",
            because="mmdetection's tools learn from these files: mixed labels teach that two people are one.",
            remedy=_CONVERT_AGAIN,
            column="fault",
            value_set=[""],
        ),
        expect(
            gxe.ExpectColumnPairValuesToBeEqual,
            "a file lists crops of its own split",
            because="A crop of val in the train file is trained on and then chosen by.",
            remedy=_CONVERT_AGAIN,
            column_A="split",
            column_B="listed_in",
        ),
        expect(
            gxe.ExpectCompoundColumnsToBeUnique,
            "a file lists a crop once",
            because="A second line counts the crop twice.",
            remedy=_CONVERT_AGAIN,
            column_list=["file", "path"],
        ),
    ]


def label_files_suite() -> Suite:
    """Return what is expected of meta/train_80.txt and its like as wholes."""
    return [
        expect(
            gxe.ExpectColumnPairValuesToBeEqual, "a file lists every crop of its split",
            because="What is not listed is not learnt by those who read the file.", remedy=_CONVERT_AGAIN,
            column_A="num_lines", column_B="num_crops",
        ),
        expect(
            gxe.ExpectColumnPairValuesToBeEqual, "labels leave no gap",
            because="A classifier has one output per label up to the last: a gap is an output that nobody trains.",
            remedy=_CONVERT_AGAIN, column_A="num_labels", column_B="num_expected_labels",
        ),
        expect(
            gxe.ExpectColumnPairValuesToBeEqual, "training labels start at "
                                                 "0", because="Classifiers count their outputs from 0.",
            remedy=_CONVERT_AGAIN, column_A="first_label", column_B="expected_first_label",
            ignore_row_if="either_value_is_missing",
        ),
    ]  # fmt: skip


def scenes_suite() -> Suite:
    """Return what is expected of videos that both train and are scored."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a video that trains and is scored is split at its half (download.split), without a shared frame",
            because="MOT16 and MOT17 hold the same videos, and people of a video the model was trained on are no test.",
            remedy="Take the video out of one part, or set download.split to half.",
            column="fault",
            value_set=[""],
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "the people of a video are not divided between train and test",
            because="The model knows the street, the light and the camera of the people that it is tested on: scores "
            "come out too good.",
            remedy="Nothing where download.split: identity is meant; scene or k-fold test strangers in strange "
            "streets.",
            level=WARNING,
            column="divided",
            value_set=[""],
        ),
    ]


def sides_suite() -> Suite:
    """Return what is expected of every person's places in the split."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a person stands on one side only: train, val or test (a video split by time apart)",
            because="Recognising somebody from the training set is memory, and says nothing about strangers.",
            remedy=_SPLIT_AGAIN,
            column="fault",
            value_set=[""],
        ),
    ]


def copies_suite() -> Suite:
    """Return what is expected of the bytes of every crop of train and val."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "no crop has the same bytes as a crop on another side of the split (train, val, test)",
            because="The model would be scored on, or its checkpoint chosen by, a picture that it was trained on.",
            remedy="Take the picture out of one of the two sets that are named, or out of download's train or test.",
            column="copy_fault",
            value_set=[""],
        ),
    ]


def frame_copies_suite() -> Suite:
    """Return what is expected of the frames of every sequence that trains, beside the frames that are tested or
    tracked.
    """
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "no frame that trains is the same file as a frame of another sequence that is tested or tracked",
            because="A copy of a video under another name is the same video: a model trained on it is scored on what "
            "it was trained on.",
            remedy="Take one of the two sequences out of download's train, or out of its test and track.",
            column="copy_fault",
            value_set=[""],
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "no sampled frame that trains looks like a frame of another sequence that is tested or tracked",
            because="A video that was encoded or scaled again looks the same and has other bytes.",
            remedy="Look at the two frames. Take a video that is a copy of the other out of download's train, or out "
            "of its test and track.",
            level=WARNING,
            column="twin_fault",
            value_set=[""],
        ),
    ]


def near_duplicates_suite(max_share: float) -> Suite:
    """Return what is expected of the crops that were hashed, as a whole."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            f"at most {max_share:.2%} of the crops have a near-duplicate on another side of the split",
            because="The same picture on both sides, re-encoded or taken a frame later, is scored as a success of the "
            "model.",
            remedy="Look at the pairs in near_duplicates.csv; remove one side, or leave frames out between the sides.",
            level=WARNING,
            column="twin_fault",
            value_set=[""],
            mostly=1 - max_share,
        ),
    ]
