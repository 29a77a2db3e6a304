"""Each expectation of raw sequences detects an injected fault, and a valid sequence has no finding."""

import pandas as pd
import pytest
from inspect_tables import findings_of, only, statements_of, titles, with_value
from mot_factory import write_mot_set

from reidops.mot.sequences import read_sequence
from reidops.validation import sequence_suites as suites
from reidops.validation.sequence_tables import (
    SequenceJob,
    SequenceTables,
    evenly,
    inspect_sequence,
    inspect_sequences,
    share_inside,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_mot_set(tmp_path_factory.mktemp("raw"), ("TOY-01",)) / "train" / "TOY-01"


@pytest.fixture(scope="module")
def valid(folder) -> SequenceTables:
    return inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", True, 3))


def record(tables: SequenceTables, **values: object) -> pd.DataFrame:
    return pd.DataFrame([{**tables.record, **values}])


FAULTS_OF_ANNOTATIONS = {
    "frames count from 1": {"frame": 0},
    "no frame number exceeds seqLength": {"frame": 13},
    "a box has a width above 0 px": {"width": 0.0},
    "a box has a height above 0 px": {"height": -2.0},
    "a box overlaps its frame": {"share_inside": 0.0},
    "at most 0.10% of the boxes are completely outside their frame": {"share_inside": 0.0},
    "a track_id occurs once per frame": {"frame": 1, "track_id": 1},
    "visibility is between 0 and 1": {"visibility": 1.5},
    "class_id is between 1 and 13": {"class_id": 14},
}


@pytest.mark.parametrize(("statement", "values"), FAULTS_OF_ANNOTATIONS.items())
def test_a_fault_of_an_annotation_is_detected_in_its_line(valid, statement, values):
    findings = findings_of(with_value(valid.annotations, 4, **values), only(suites.annotations_suite(0.001), statement))
    finding = next(finding for finding in findings if finding.expectation == statement)
    assert any(place.startswith("raw/TOY-01/gt/gt.txt: line 5: ") for place in finding.places)
    assert finding.remedy


def test_a_valid_sequence_has_no_finding(valid):
    tables = {
        "annotations": suites.annotations_suite(0.001),
        "detections": suites.detections_suite(),
        "frames": suites.frames_suite(),
        "decoded": suites.decoded_suite(),
    }
    for name, suite in tables.items():
        assert findings_of(getattr(valid, name), suite) == [], name
    assert findings_of(record(valid), suites.sequences_suite()) == []


def test_every_annotation_expectation_has_an_injected_fault_or_checks_types():
    untested = statements_of(suites.annotations_suite(0.001)) - set(FAULTS_OF_ANNOTATIONS)
    assert all(
        "is of type" in statement or "columns of the annotations contract" in statement for statement in untested
    )


def test_a_column_of_another_type_is_detected(valid):
    found = titles(findings_of(valid.annotations.astype({"frame": "float64"}), suites.annotations_suite(0.001)))
    assert {statement for statement in found if statement.startswith("frame is of type int64")}


def test_a_missing_column_is_detected(valid):
    found = titles(findings_of(valid.annotations.drop(columns="considered"), suites.annotations_suite(0.001)))
    assert "the table has the columns of the annotations contract" in found


@pytest.mark.parametrize(
    ("statement", "values"),
    {
        "frames count from 1": {"frame": 0},
        "no frame number exceeds seqLength": {"frame": 99},
        "a box has a width above 0 px": {"width": -1.0},
        "a box has a height above 0 px": {"height": 0.0},
        "every detection has a score": {"confidence": float("nan")},
        "scores are finite": {"confidence": float("inf")},
        "a detection overlaps its frame": {"share_inside": 0.0},
    }.items(),
)
def test_a_fault_of_a_detection_is_detected_in_its_line(valid, statement, values):
    findings = findings_of(with_value(valid.detections, 2, **values), only(suites.detections_suite(), statement))
    finding = next(finding for finding in findings if finding.expectation == statement)
    assert finding.places[0].startswith("raw/TOY-01/det/det.txt: line 3: ")


@pytest.mark.parametrize(
    ("statement", "values", "level"),
    [
        ("the annotations can be read", {"annotations_fault": "gt.txt: line 3 has 6 fields"}, "error"),
        ("the detections can be read", {"detections_fault": "det.txt: is empty"}, "error"),
        ("a published sequence has its published number of pedestrian boxes", {"published_boxes": 1.0}, "error"),
        ("a published sequence has its published number of people", {"published_people": 1.0}, "error"),
        (
            "the detector copies of a sequence (DPM, FRCNN, SDP) have equal ground truth",
            {"unlike_copy": "TOY-01-SDP"},
            "error",
        ),
        ("there is no image after seqLength", {"num_images_past_end": 2}, "warning"),
        (
            "every frame of a tracked sequence has a detection",
            {"empty_frames_fault": "3 frames without a detection: 1, 2, 9"},
            "warning",
        ),
        (
            "a published sequence has its published number of pedestrian boxes in the validation half",
            {"published_half_boxes": 1.0},
            "error",
        ),
        (
            "a published sequence has its published number of people in the validation half",
            {"published_half_people": 1.0},
            "error",
        ),
    ],
)
def test_a_fault_of_a_sequence_is_detected(valid, statement, values, level):
    (finding,) = findings_of(record(valid, **values), suites.sequences_suite(), row_word="")
    assert (finding.expectation, finding.level) == (statement, level)
    assert finding.places[0].startswith("raw/TOY-01/seqinfo.ini: ")


def test_a_missing_frame_is_reported_with_its_file(folder):
    sequence = read_sequence(folder)
    (folder / "img1" / "000007.jpg").rename(folder / "img1" / "seven.png")
    tables = inspect_sequence(SequenceJob(sequence, "raw/TOY-01", False, 0))
    (folder / "img1" / "seven.png").rename(folder / "img1" / "000007.jpg")
    (finding,) = findings_of(tables.frames, suites.frames_suite(), row_word="")
    assert finding.places == ("raw/TOY-01/img1/000007.jpg: exists is False",)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("a frame decodes without an error or a warning of the decoder", {"fault": "is cut off"}),
        ("a frame has the width that seqinfo.ini states", {"width": 99}),
        ("a frame has the height that seqinfo.ini states", {"height": 99}),
    ],
)
def test_a_fault_of_a_frame_is_detected(valid, statement, values):
    assert titles(findings_of(with_value(valid.decoded, 1, **values), suites.decoded_suite(), row_word="")) == {
        statement
    }


def test_a_truncated_frame_is_detected_if_all_are_decoded(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    image = folder / "img1" / "000005.jpg"
    size = image.write_bytes(image.read_bytes()[:-400])
    (tables,) = inspect_sequences([SequenceJob(read_sequence(folder), "raw/TOY-01", False, -1)])
    (finding,) = findings_of(tables.decoded, suites.decoded_suite(), row_word="")
    assert finding.places == (
        f"raw/TOY-01/img1/000005.jpg: the JPEG is cut off after {size} bytes; copy or unpack it again",
    )
    assert len(tables.decoded) == 12


def test_a_frame_that_is_damaged_in_its_middle_is_detected(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    image = folder / "img1" / "000005.jpg"
    content = bytearray(image.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 60] = b"\xff\xd0" * 30  # restart markers where none belong
    image.write_bytes(content)
    tables = inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", False, -1))
    (finding,) = findings_of(tables.decoded, suites.decoded_suite(), row_word="")
    assert finding.expectation == "a frame decodes without an error or a warning of the decoder"
    assert finding.places[0].startswith("raw/TOY-01/img1/000005.jpg: Corrupt JPEG data")


def test_an_unreadable_file_is_reported_and_the_other_files_are_read(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    (folder / "gt" / "gt.txt").write_text("1,1,2,3\n")
    tables = inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", True, 0))
    assert "line 1" in str(tables.record["annotations_fault"])
    assert (len(tables.annotations), len(tables.detections)) == (0, 36)


def test_empty_lines_are_counted_in_line_numbers(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    path = folder / "gt" / "gt.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["", *lines[:3], "", "  ", *lines[3:], lines[4]]) + "\n")
    tables = inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", True, 0))
    (finding,) = findings_of(tables.annotations, suites.annotations_suite(0.001))
    assert [place.split(": ")[1] for place in finding.places] == ["line 8", f"line {len(lines) + 4}"]
    assert tables.detections["row"].tolist() == list(range(1, 37))


def test_frames_without_a_detection_are_listed(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    path = folder / "det" / "det.txt"
    path.write_text(
        "".join(line for line in path.read_text().splitlines(keepends=True) if line.split(",")[0] not in ("4", "9"))
    )
    sequence = read_sequence(folder)
    assert (
        inspect_sequence(SequenceJob(sequence, "raw", True, 0)).record["empty_frames_fault"]
        == "2 frames without a detection: 4, 9"
    )
    assert inspect_sequence(SequenceJob(sequence, "raw", False, 0)).record["empty_frames_fault"] == ""


def test_a_tracked_sequence_without_public_detections_has_no_fault(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    (folder / "det" / "det.txt").unlink()
    tables = inspect_sequence(SequenceJob(read_sequence(folder), "raw", True, 0))
    assert (tables.record["detections_fault"], tables.record["empty_frames_fault"], len(tables.detections)) == (
        "",
        "",
        0,
    )


def test_the_half_counts_are_those_of_the_validation_half(valid):
    assert (valid.record["num_half_boxes"], valid.record["num_half_people"]) == (3 * 5, 3)  # frames 8 … 12 of 12


def test_the_number_of_expectations_of_sequences_and_frames():
    assert len(suites.sequences_suite()) == 9
    assert len(suites.decoded_suite()) == 3
    assert len(suites.frames_suite()) == 1


def test_a_detector_copy_with_another_ground_truth_is_reported(tmp_path):
    train = write_mot_set(tmp_path, ("TOY-01",), detectors=("DPM", "FRCNN", "SDP")) / "train"
    job = SequenceJob(read_sequence(train / "TOY-01-FRCNN"), "raw/TOY-01-FRCNN", False, 0)
    assert inspect_sequence(job).record["unlike_copy"] == ""
    path = train / "TOY-01-SDP" / "gt" / "gt.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert inspect_sequence(job).record["unlike_copy"] == "TOY-01-SDP"


def test_share_inside_is_a_fraction_of_the_area():
    boxes = pd.DataFrame(
        [(-10, 0, 20, 10), (0, 0, 10, 10), (95, 95, 10, 10), (200, 0, 5, 5)], columns=["left", "top", "width", "height"]
    )
    assert share_inside(boxes.astype(float), 100, 100).tolist() == [0.5, 1.0, 0.25, 0.0]


def test_a_sample_is_spread_from_the_first_to_the_last_row():
    assert evenly(100, 3).tolist() == [0, 49, 99]
