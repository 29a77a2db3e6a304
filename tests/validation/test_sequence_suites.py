"""Each expectation of raw sequences catches a planted fault, and a sound sequence has none."""

import pandas as pd
import pytest
from inspect_tables import findings_of, only, says_of, titles, with_value
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_mot_set(tmp_path_factory.mktemp("raw"), ("TOY-01",)) / "train" / "TOY-01"


@pytest.fixture(scope="module")
def sound(folder) -> SequenceTables:
    return inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", True, 3))


def record(tables: SequenceTables, **values: object) -> pd.DataFrame:
    return pd.DataFrame([{**tables.record, **values}])


PLANTED_ANNOTATIONS = {
    "frames count from 1": {"frame": 0},
    "no frame lies past seqLength": {"frame": 13},
    "a box has a width above 0 px": {"width": 0.0},
    "a box has a height above 0 px": {"height": -2.0},
    "a box overlaps its frame": {"share_inside": 0.0},
    "at most 0.10% of the boxes lie wholly outside their frame": {"share_inside": 0.0},
    "a track_id stands once in a frame": {"frame": 1, "track_id": 1},
    "visibility lies in 0 … 1": {"visibility": 1.5},
    "class_id lies in 1 … 13": {"class_id": 14},
}


@pytest.mark.parametrize(("says", "values"), PLANTED_ANNOTATIONS.items())
def test_an_annotation_fault_is_caught_at_its_line(sound, says, values):
    findings = findings_of(with_value(sound.annotations, 4, **values), only(suites.annotations_suite(0.001), says))
    (finding,) = findings
    assert any(place.startswith("raw/TOY-01/gt/gt.txt: line 5: ") for place in finding.places)
    assert finding.remedy


def test_a_sound_sequence_has_no_finding(sound):
    tables = {
        "annotations": suites.annotations_suite(0.001),
        "detections": suites.detections_suite(),
        "frames": suites.frames_suite(),
        "decoded": suites.decoded_suite(),
    }
    for name, suite in tables.items():
        assert findings_of(getattr(sound, name), suite) == [], name
    assert findings_of(record(sound), suites.sequences_suite()) == []


def test_every_annotation_expectation_has_a_planted_fault_or_is_about_types():
    untested = says_of(suites.annotations_suite(0.001)) - set(PLANTED_ANNOTATIONS)
    assert all("is of type" in says or "columns of the annotations contract" in says for says in untested)


def test_a_column_of_another_type_is_caught(sound):
    found = titles(findings_of(sound.annotations.astype({"frame": "float64"}), suites.annotations_suite(0.001)))
    assert {says for says in found if says.startswith("frame is of type int64")}


def test_a_missing_column_is_caught(sound):
    found = titles(findings_of(sound.annotations.drop(columns="considered"), suites.annotations_suite(0.001)))
    assert "the table has the columns of the annotations contract" in found


@pytest.mark.parametrize(
    ("says", "values"),
    {
        "frames count from 1": {"frame": 0},
        "no frame lies past seqLength": {"frame": 99},
        "a box has a width above 0 px": {"width": -1.0},
        "a box has a height above 0 px": {"height": 0.0},
        "every detection has a score": {"confidence": float("nan")},
        "scores are finite": {"confidence": float("inf")},
        "a detection overlaps its frame": {"share_inside": 0.0},
    }.items(),
)
def test_a_detection_fault_is_caught_at_its_line(sound, says, values):
    findings = findings_of(with_value(sound.detections, 2, **values), only(suites.detections_suite(), says))
    (finding,) = findings
    assert finding.places[0].startswith("raw/TOY-01/det/det.txt: line 3: ")


@pytest.mark.parametrize(
    ("says", "values", "level"),
    [
        ("the annotations can be read", {"annotations_fault": "gt.txt: line 3 has 6 fields"}, "error"),
        ("the detections can be read", {"detections_fault": "det.txt: is empty"}, "error"),
        ("a whole published sequence has its published number of pedestrian boxes", {"published_boxes": 1.0}, "error"),
        ("a whole published sequence has its published number of people", {"published_people": 1.0}, "error"),
        (
            "the detector copies of a sequence (DPM, FRCNN, SDP) have equal ground truth",
            {"unlike_copy": "TOY-01-SDP"},
            "error",
        ),
        ("there is no image past seqLength", {"num_images_past_end": 2}, "warning"),
        (
            "every frame of a tracked sequence has a detection",
            {"empty_frames_fault": "3 frames without a detection: 1, 2, 9"},
            "warning",
        ),
        (
            "a whole published sequence has its published number of pedestrian boxes in the half that validates",
            {"published_half_boxes": 1.0},
            "error",
        ),
        (
            "a whole published sequence has its published number of people in the half that validates",
            {"published_half_people": 1.0},
            "error",
        ),
    ],
)
def test_a_sequence_fault_is_caught(sound, says, values, level):
    (finding,) = findings_of(record(sound, **values), suites.sequences_suite(), row_word="")
    assert (finding.expectation, finding.level) == (says, level)
    assert finding.places[0].startswith("raw/TOY-01/seqinfo.ini: ")


def test_a_missing_frame_is_caught_by_name(folder):
    sequence = read_sequence(folder)
    (folder / "img1" / "000007.jpg").rename(folder / "img1" / "seven.png")
    tables = inspect_sequence(SequenceJob(sequence, "raw/TOY-01", False, 0))
    (folder / "img1" / "seven.png").rename(folder / "img1" / "000007.jpg")
    (finding,) = findings_of(tables.frames, suites.frames_suite(), row_word="")
    assert finding.places == ("raw/TOY-01/img1/000007.jpg: exists is False",)


@pytest.mark.parametrize(
    ("says", "values"),
    [
        ("a frame can be decoded whole, without a complaint of the decoder", {"fault": "is cut off"}),
        ("a frame has the width that seqinfo.ini states", {"width": 99}),
        ("a frame has the height that seqinfo.ini states", {"height": 99}),
    ],
)
def test_a_frame_fault_is_caught(sound, says, values):
    assert titles(findings_of(with_value(sound.decoded, 1, **values), suites.decoded_suite(), row_word="")) == {says}


def test_a_truncated_frame_is_found_when_all_are_decoded(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    image = folder / "img1" / "000005.jpg"
    size = image.write_bytes(image.read_bytes()[:-400])
    (tables,) = inspect_sequences([SequenceJob(read_sequence(folder), "raw/TOY-01", False, -1)])
    (finding,) = findings_of(tables.decoded, suites.decoded_suite(), row_word="")
    assert finding.places == (
        f"raw/TOY-01/img1/000005.jpg: the JPEG is cut off after {size} bytes; copy or unpack it again",
    )
    assert len(tables.decoded) == 12


def test_a_frame_that_is_damaged_in_its_middle_is_found(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    image = folder / "img1" / "000005.jpg"
    content = bytearray(image.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 60] = b"\xff\xd0" * 30  # restart markers where none belong
    image.write_bytes(content)
    tables = inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", False, -1))
    (finding,) = findings_of(tables.decoded, suites.decoded_suite(), row_word="")
    assert finding.expectation == "a frame can be decoded whole, without a complaint of the decoder"
    assert finding.places[0].startswith("raw/TOY-01/img1/000005.jpg: Corrupt JPEG data")


def test_an_unreadable_file_is_told_in_the_record_and_hides_nothing_else(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    (folder / "gt" / "gt.txt").write_text("1,1,2,3\n")
    tables = inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", True, 0))
    assert "line 1" in str(tables.record["annotations_fault"])
    assert (len(tables.annotations), len(tables.detections)) == (0, 36)


def test_lines_are_counted_as_the_file_has_them_also_with_empty_ones(tmp_path):
    folder = write_mot_set(tmp_path, ("TOY-01",)) / "train" / "TOY-01"
    path = folder / "gt" / "gt.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["", *lines[:3], "", "  ", *lines[3:], lines[4]]) + "\n")
    tables = inspect_sequence(SequenceJob(read_sequence(folder), "raw/TOY-01", True, 0))
    (finding,) = findings_of(tables.annotations, suites.annotations_suite(0.001))
    assert [place.split(": ")[1] for place in finding.places] == ["line 8", f"line {len(lines) + 4}"]
    assert tables.detections["row"].tolist() == list(range(1, 37))


def test_frames_without_a_detection_are_named(tmp_path):
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


def test_the_half_counts_are_those_of_the_frames_that_validate(sound):
    assert (sound.record["num_half_boxes"], sound.record["num_half_people"]) == (3 * 5, 3)  # frames 8 … 12 of 12


def test_every_expectation_of_sequences_and_frames_has_a_planted_fault():
    assert len(suites.sequences_suite()) == 9
    assert len(suites.decoded_suite()) == 3
    assert len(suites.frames_suite()) == 1


def test_a_detector_copy_with_another_ground_truth_is_named(tmp_path):
    train = write_mot_set(tmp_path, ("TOY-01",), detectors=("DPM", "FRCNN", "SDP")) / "train"
    job = SequenceJob(read_sequence(train / "TOY-01-FRCNN"), "raw/TOY-01-FRCNN", False, 0)
    assert inspect_sequence(job).record["unlike_copy"] == ""
    path = train / "TOY-01-SDP" / "gt" / "gt.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert inspect_sequence(job).record["unlike_copy"] == "TOY-01-SDP"


def test_the_share_inside_is_an_area():
    boxes = pd.DataFrame(
        [(-10, 0, 20, 10), (0, 0, 10, 10), (95, 95, 10, 10), (200, 0, 5, 5)], columns=["left", "top", "width", "height"]
    )
    assert share_inside(boxes.astype(float), 100, 100).tolist() == [0.5, 1.0, 0.25, 0.0]


def test_a_sample_is_spread_from_the_first_to_the_last():
    assert evenly(100, 3).tolist() == [0, 49, 99]
