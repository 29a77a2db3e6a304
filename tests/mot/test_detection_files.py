import numpy as np
import pytest
from mot_factory import write_mot_sequence, write_rows

from reidops.errors import ReidopsError
from reidops.mot.sequences import (
    read_detection_file,
    read_detections,
    read_raw_detections,
    read_sequence,
    write_detections,
)


def test_what_was_read_and_written_is_read_again_to_the_last_bit(tmp_path):
    sequence = read_sequence(write_mot_sequence(tmp_path / "TOY-01"))
    rng = np.random.default_rng(0)
    rows = [
        (1 + n % 12, -1, *rng.uniform(1, 1920, 4).round(n % 7), round(rng.uniform(-1, 3), 6), -1, -1, -1)
        for n in range(200)
    ]
    (sequence.folder / "det" / "det.txt").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    published = read_detections(sequence)
    write_detections(published, tmp_path / "copy.txt")
    assert read_detection_file(tmp_path / "copy.txt").equals(published)


def test_a_file_without_a_line_holds_no_detection(tmp_path):
    (tmp_path / "empty.txt").write_text("")
    table = read_detection_file(tmp_path / "empty.txt")
    assert len(table) == 0
    write_detections(table, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == ""


def test_a_frame_beyond_the_sequence_is_told(tmp_path):
    write_rows(tmp_path / "det.txt", [(1, -1, 5, 5, 9, 9, 1), (13, -1, 5, 5, 9, 9, 1)])
    assert len(read_detection_file(tmp_path / "det.txt")) == 2
    with pytest.raises(ReidopsError, match=r"det.txt: line 2 .*outside 1 … 12"):
        read_detection_file(tmp_path / "det.txt", 12)


@pytest.mark.parametrize(
    "text",
    [
        "1,-1,11,21,30,40,0.9,-1,-1,-1\n",
        "1,11,21,30,40,0.9\n",  # without an id
        "frame,id,x1,y1,x2,y2,conf\n1,-1,11,21,41,61,0.9\n",
        "frame,score,xmin,ymin,width,height\n1,0.9,11,21,30,40\n",
        "1;-1;11,0;21,0;30,0;40,0;0,9\n",
    ],
)
def test_a_detection_in_other_columns_is_the_same_box(tmp_path, text):
    (tmp_path / "det.txt").write_text(text)
    for read in (read_detection_file, read_raw_detections):
        row = read(tmp_path / "det.txt").iloc[0]
        columns = ["frame", "left", "top", "width", "height", "confidence"]
        assert row[columns].tolist() == [1, 10, 20, 30, 40, 0.9]


def test_names_without_a_box_are_refused_with_those_that_are_expected(tmp_path):
    (tmp_path / "det.txt").write_text("frame,id,x1,y1,conf\n1,-1,11,21,0.9\n")
    with pytest.raises(
        ReidopsError, match=r"det\.txt: line 1 .*no frame and box.*frame, left, top, width, height, score"
    ):
        read_detection_file(tmp_path / "det.txt")


def test_scores_in_percent_are_warned_about(tmp_path, caplog):
    write_rows(tmp_path / "percent.txt", [(1, -1, 5, 5, 9, 9, 90), (1, -1, 5, 5, 9, 9, 75.5)])
    read_detection_file(tmp_path / "percent.txt")
    assert "percent.txt: most scores are above 10, the highest is 90" in caplog.text
    write_rows(tmp_path / "dpm.txt", [(1, -1, 5, 5, 9, 9, 3.2), (1, -1, 5, 5, 9, 9, -0.4)])
    read_detection_file(tmp_path / "dpm.txt")
    assert "dpm.txt" not in caplog.text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}]', "JSON"),
        ('{"frames": []}', "JSON"),
        ("<?xml version='1.0'?><annotations/>", "XML"),
        ("<!DOCTYPE html><html>", "a web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
    ],
)
def test_a_file_of_another_kind_in_place_of_lines_is_named(tmp_path, text, kind):
    (tmp_path / "det.txt").write_text(text)
    with pytest.raises(ReidopsError, match=rf"det\.txt: is .*{kind}.*expected lines of numbers"):
        read_detection_file(tmp_path / "det.txt")
