"""Expectation suites of MOT sequences: one suite per table of sequence_tables.py."""

import great_expectations.expectations as gxe

from reidops.tables import ANNOTATIONS, DETECTIONS, Table
from reidops.validation.expectations import Suite, expect, expect_between, expect_equal, expect_in
from reidops.validation.findings import WARNING

NUM_CLASSES = 13

_CORRECT_ROW = "Correct or remove the row, or fetch the set again: `dvc repro -f download`."
_FETCH_AGAIN = "Fetch the set again: `dvc repro -f download`, or complete the folder by hand."
_COMPARE_SIZE = "compare imWidth and imHeight of seqinfo.ini with the images"


def annotations_suite(max_outside_share: float) -> Suite:
    """Return the suite of ground truth boxes."""
    return [
        *_types(ANNOTATIONS),
        *_frame_range(),
        *_positive_sizes(),
        *_boxes_in_frame(max_outside_share),
        *_annotation_values(),
    ]


def _boxes_in_frame(max_outside_share: float) -> Suite:
    return [
        expect_between(
            "share_inside",
            "a box overlaps its frame",
            because="A box outside the frame has no pixels. Published sets have a few; convert leaves them out.",
            remedy=f"Nothing for a few boxes; otherwise {_COMPARE_SIZE}.",
            level=WARNING,
            min_value=0,
            strict_min=True,
        ),
        expect_between(
            "share_inside",
            f"at most {max_outside_share:.2%} of the boxes are completely outside their frame",
            because="More of them indicate wrong sizes in seqinfo.ini, or boxes in another unit.",
            remedy=f"Correct or remove the rows; {_COMPARE_SIZE}.",
            min_value=0,
            strict_min=True,
            mostly=1 - max_outside_share,
        ),
    ]


def _annotation_values() -> Suite:
    return [
        expect(
            gxe.ExpectCompoundColumnsToBeUnique,
            "a track_id occurs once per frame",
            because="A second box of the same track_id adds crops of another person to this person.",
            remedy=_CORRECT_ROW,
            column_list=["file", "frame", "track_id"],
        ),
        expect_between(
            "visibility",
            "visibility is between 0 and 1",
            because="It is a fraction, which convert compares with a threshold. Percentages would all pass.",
            remedy=_CORRECT_ROW,
            min_value=0,
            max_value=1,
        ),
        expect_in(
            "class_id",
            list(range(1, NUM_CLASSES + 1)),
            f"class_id is between 1 and {NUM_CLASSES}",
            because="MOTChallenge has 13 classes (1 = pedestrian). Other numbers indicate another format.",
            remedy="Convert the classes to those of MOTChallenge.",
        ),
    ]


def detections_suite() -> Suite:
    """Return the suite of detector boxes."""
    return [
        *_types(DETECTIONS),
        *_frame_range(),
        *_positive_sizes(),
        expect(
            gxe.ExpectColumnValuesToNotBeNull,
            "every detection has a score",
            because="The tracker sorts and filters detections by score.",
            remedy=_CORRECT_ROW,
            column="confidence",
        ),
        expect_between(
            "confidence",
            "scores are finite",
            because="An infinite score passes every threshold.",
            remedy=_CORRECT_ROW,
            min_value=-1e6,
            max_value=1e6,
        ),
        expect_between(
            "share_inside",
            "a detection overlaps its frame",
            because="A box outside the frame has no pixels to embed.",
            remedy="Nothing for a few detections; otherwise check the scale of the detector.",
            level=WARNING,
            min_value=0,
            strict_min=True,
        ),
    ]


def sequences_suite() -> Suite:
    """Return the suite of sequences as wholes."""
    return [*_readable_files(), *_published_numbers(), *_sequence_files()]


def _readable_files() -> Suite:
    return [
        expect_in(
            f"{name}_fault",
            [""],
            f"the {name} can be read",
            because=f"A sequence whose {name} cannot be read cannot be {used}.",
            remedy="Correct the file as the message says.",
        )
        for name, used in (("annotations", "scored"), ("detections", "tracked"))
    ]


def _published_numbers() -> Suite:
    """Return the expectations of a published sequence of its published length; other sequences have no counts."""
    counts = (
        ("boxes", "pedestrian_boxes", "pedestrian boxes"),
        ("people", "people", "people"),
        ("half_boxes", "half_boxes", "pedestrian boxes in the validation half"),
        ("half_people", "half_people", "people in the validation half"),
    )
    return [
        expect_equal(
            f"num_{column}",
            f"published_{name}",
            f"a published sequence has its published number of {noun}",
            because="A known sequence with other counts was edited or unpacked incompletely, so its scores cannot be "
            "compared.",
            remedy="Fetch the set again, or give the edited sequence another name.",
        )
        for name, column, noun in counts
    ]


def _sequence_files() -> Suite:
    return [
        expect_in(
            "unlike_copy",
            [""],
            "the detector copies of a sequence (DPM, FRCNN, SDP) have equal ground truth",
            because="MOT17 has each video three times with the same ground truth. A copy was edited or damaged.",
            remedy="Compare gt/gt.txt of the two copies and keep the published one.",
        ),
        expect_in(
            "num_images_past_end",
            [0],
            "there is no image after seqLength",
            because="These images are never read. seqinfo.ini or the folder differs from the published one.",
            remedy="Correct seqLength in seqinfo.ini, or remove the images.",
            level=WARNING,
        ),
        expect_in(
            "empty_frames_fault",
            [""],
            "every frame of a tracked sequence has a detection",
            because="No track is matched in an empty frame. Many of them indicate detections of another sequence.",
            remedy="Nothing if these frames show no person; otherwise make the detections again.",
            level=WARNING,
        ),
    ]


def frames_suite() -> Suite:
    """Return the suite of the image folder."""
    return [
        expect_in(
            "exists",
            [True],
            "every frame of seqinfo.ini exists",
            because="Cutting, embedding and tracking need every frame.",
            remedy=_FETCH_AGAIN,
        ),
    ]


def decoded_suite() -> Suite:
    """Return the suite of the decoded frames."""
    whole = expect_in(
        "fault",
        [""],
        "a frame decodes without an error or a warning of the decoder",
        because="A decoder fills the damaged part of a JPEG with grey, which would be trained on.",
        remedy=_FETCH_AGAIN,
    )
    sizes = [
        expect_equal(
            side,
            f"promised_{side}",
            f"a frame has the {side} that seqinfo.ini states",
            because="Boxes are in pixels of that size. On resized images crops are cut at the wrong place.",
            remedy="Use the original images, or correct imWidth and imHeight together with the boxes.",
        )
        for side in ("width", "height")
    ]
    return [whole, *sizes]


def _types(table: Table) -> Suite:
    """Return the expectations that the table has the columns of its contract, in their types."""
    dtypes = {name: dtype for name, dtype in table.dtypes.items() if dtype != "str"}
    columns = expect(
        gxe.ExpectTableColumnsToMatchSet,
        f"the table has the columns of the {table.name} contract",
        because="Later stages read the columns by these names.",
        remedy="Report this as a bug of the reader.",
        column_set=list(table.columns),
        exact_match=False,
    )
    types = [
        expect(
            gxe.ExpectColumnValuesToBeOfType,
            f"{name} is of type {dtype}: {table.columns[name].meaning}",
            because="Another type means that a value is not a number.",
            remedy=_CORRECT_ROW,
            column=name,
            type_=dtype,
        )
        for name, dtype in dtypes.items()
    ]
    return [columns, *types]


def _frame_range() -> Suite:
    return [
        expect_between(
            "frame",
            "frames count from 1",
            because="If frames count from 0, every box belongs to the next image.",
            remedy="Add 1 to the frames.",
            min_value=1,
        ),
        expect(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB,
            "no frame number exceeds seqLength",
            because="There is no image of this frame.",
            remedy="Correct seqLength in seqinfo.ini, or remove the rows.",
            column_A="length",
            column_B="frame",
            or_equal=True,
        ),
    ]


def _positive_sizes() -> Suite:
    return [
        expect_between(
            side,
            f"a box has a {side} above 0 px",
            because="A box without area has no pixels and overlaps no other box.",
            remedy=_CORRECT_ROW,
            min_value=0,
            strict_min=True,
        )
        for side in ("width", "height")
    ]
