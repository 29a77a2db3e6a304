"""What is expected of MOT sequences: one suite per table of sequence_tables.py."""

import great_expectations.expectations as gxe

from reidops.tables import ANNOTATIONS, DETECTIONS, Table
from reidops.validation.expectations import expect
from reidops.validation.findings import WARNING

NUM_CLASSES = 13
Suite = list[gxe.Expectation]

_MEND_ROW = "Remove or mend the row, or fetch the set again: `dvc repro -f download`."
_FETCH_AGAIN = "Fetch the set again: `dvc repro -f download`, or complete the folder by hand."


def annotations_suite(max_outside_share: float) -> Suite:
    """Return what is expected of ground truth boxes."""
    return [
        *_types(ANNOTATIONS),
        *_frame_range(),
        *_positive_sizes(),
        expect(
            gxe.ExpectColumnValuesToBeBetween, "a box overlaps its frame",
            because="A box wholly outside has no pixels to cut; published sets hold a few, and convert leaves them "
                    "out.",
            remedy="Nothing for a few; otherwise compare imWidth and imHeight of seqinfo.ini with the images.",
            level=WARNING, column="share_inside", min_value=0, strict_min=True,
        ),
        expect(
            gxe.ExpectColumnValuesToBeBetween, f"at most {max_outside_share:.2%} of the boxes lie wholly outside their "
                                               f"frame",
            because="More than a few point to wrong sizes in seqinfo.ini or to pixels in another unit.",
            remedy="Compare imWidth and imHeight of seqinfo.ini with the images; mend or remove the rows.",
            column="share_inside", min_value=0, strict_min=True, mostly=1 - max_outside_share,
        ),
        expect(
            gxe.ExpectCompoundColumnsToBeUnique, "a track_id stands once in a frame",
            because="A person is in one place at a time: a second box of the same id puts somebody else's crop among "
                    "this person's.",
            remedy=_MEND_ROW, column_list=["file", "frame", "track_id"],
        ),
        expect(
            gxe.ExpectColumnValuesToBeBetween, "visibility lies in 0 … 1",
            because="It is a share, and convert compares it with a threshold; percentages would let everybody in.",
            remedy=_MEND_ROW, column="visibility", min_value=0, max_value=1,
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet, f"class_id lies in 1 … {NUM_CLASSES}",
            because="MOTChallenge knows 13 classes and people are class 1; other numbers mean another format.",
            remedy="Convert the classes to MOTChallenge's (1 = pedestrian).",
            column="class_id", value_set=list(range(1, NUM_CLASSES + 1)),
        ),
    ]  # fmt: skip


def detections_suite() -> Suite:
    """Return what is expected of detector boxes."""
    return [
        *_types(DETECTIONS),
        *_frame_range(),
        *_positive_sizes(),
        expect(
            gxe.ExpectColumnValuesToNotBeNull, "every detection has a score",
            because="The tracker sorts and filters by it.", remedy=_MEND_ROW, column="confidence",
        ),
        expect(
            gxe.ExpectColumnValuesToBeBetween, "scores are finite",
            because="An infinite score passes every "
                    "threshold.", remedy=_MEND_ROW, column="confidence", min_value=-1e6, max_value=1e6,
        ),
        expect(
            gxe.ExpectColumnValuesToBeBetween, "a detection overlaps its frame",
            because="A box wholly outside has no pixels to "
                    "embed.", remedy="Nothing for a few; otherwise check the detector's scale.",
            level=WARNING, column="share_inside", min_value=0, strict_min=True,
        ),
    ]  # fmt: skip


def sequences_suite() -> Suite:
    """Return what is expected of sequences as wholes."""
    return [
        *(
            expect(
                gxe.ExpectColumnValuesToBeInSet, f"the {name} can be read",
                because=f"What cannot be read cannot be "
                        f"{used}.", remedy="Mend the line that is named; see the reader's message.",
                column=f"{name}_fault", value_set=[""],
            )
            for name, used in (("annotations", "scored"), ("detections", "tracked"))
        ),
        *(
            expect(
                gxe.ExpectColumnPairValuesToBeEqual, f"a whole published sequence has its published number of {what}",
                because="A known sequence with other counts was cut, edited or only partly unpacked, and its scores "
                        "compare with nobody's.",
                remedy="Fetch the set again, or give an edited sequence a name of its own.",
                column_A=f"num_{column}", column_B=f"published_{name}", ignore_row_if="either_value_is_missing",
            )
            for name, column, what in (
                ("boxes", "pedestrian_boxes", "pedestrian boxes"),
                ("people", "people", "people"),
                ("half_boxes", "half_boxes", "pedestrian boxes in the half that validates"),
                ("half_people", "half_people", "people in the half that validates"),
            )
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet, "the detector copies of a sequence (DPM, FRCNN, SDP) have equal ground "
                                             "truth",
            because="MOT17 holds each video three times with one ground truth; a difference means that one copy was "
                    "edited or damaged.",
            remedy="Compare gt/gt.txt of the two copies and keep the published "
                   "one.", column="unlike_copy", value_set=[""],
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet, "there is no image past seqLength",
            because="Images past the end are never read: seqinfo.ini or the folder is not the published one.",
            remedy="Correct seqLength in seqinfo.ini, or remove the "
                   "images.", level=WARNING, column="num_images_past_end", value_set=[0],
        ),
        expect(
            gxe.ExpectColumnValuesToBeInSet, "every frame of a tracked sequence has a detection",
            because="In an empty frame every track is lost; many of them mean that the detections are another "
                    "sequence's.",
            remedy="Nothing where the street is empty; otherwise make the detections again.",
            level=WARNING, column="empty_frames_fault", value_set=[""],
        ),
    ]  # fmt: skip


def frames_suite() -> Suite:
    """Return what is expected of the image folder."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "every frame that seqinfo.ini promises is there",
            because="A missing frame shifts or breaks cutting, embedding and tracking.",
            remedy=_FETCH_AGAIN,
            column="exists",
            value_set=[True],
        ),
    ]


def decoded_suite() -> Suite:
    """Return what is expected of the frames that were decoded."""
    return [
        expect(
            gxe.ExpectColumnValuesToBeInSet,
            "a frame can be decoded whole, without a complaint of the decoder",
            because="A JPEG that breaks off or is damaged in its middle is painted over in grey, and grey people would "
            "be learnt.",
            remedy=_FETCH_AGAIN,
            column="fault",
            value_set=[""],
        ),
        *(
            expect(
                gxe.ExpectColumnPairValuesToBeEqual,
                f"a frame has the {side} that seqinfo.ini states",
                because="Boxes are in pixels of the stated size: on resized images every crop is cut beside its "
                "person.",
                remedy="Use the original images, or correct imWidth and imHeight together with the boxes.",
                column_A=side,
                column_B=f"promised_{side}",
                ignore_row_if="either_value_is_missing",
            )
            for side in ("width", "height")
        ),
    ]


def _types(table: Table) -> Suite:
    """Return the expectations that the table's columns are there and of their types."""
    dtypes = {name: dtype for name, dtype in table.dtypes.items() if dtype != "str"}
    columns = expect(
        gxe.ExpectTableColumnsToMatchSet,
        f"the table has the columns of the {table.name} contract",
        because="Every later stage reads columns by these names.",
        remedy="Report this as a fault of the reader.",
        column_set=list(table.columns),
        exact_match=False,
    )
    types = [
        expect(
            gxe.ExpectColumnValuesToBeOfType,
            f"{name} is of type {dtype}: {table.columns[name].meaning}",
            because="Another type means that a value was no number.",
            remedy=_MEND_ROW,
            column=name,
            type_=dtype,
        )
        for name, dtype in dtypes.items()
    ]
    return [columns, *types]


def _frame_range() -> Suite:
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            "frames count from 1",
            because="Frame 0 means that somebody counted from 0, and every box belongs to the next image.",
            remedy="Add 1 to the frames.",
            column="frame",
            min_value=1,
        ),
        expect(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB,
            "no frame lies past seqLength",
            because="There is no image for it.",
            remedy="Correct seqLength in seqinfo.ini, or remove the rows.",
            column_A="length",
            column_B="frame",
            or_equal=True,
        ),
    ]


def _positive_sizes() -> Suite:
    return [
        expect(
            gxe.ExpectColumnValuesToBeBetween,
            f"a box has a {side} above 0 px",
            because="A box without area cannot be cut, and overlaps nothing.",
            remedy=_MEND_ROW,
            column=side,
            min_value=0,
            strict_min=True,
        )
        for side in ("width", "height")
    ]
