"""reidops/mot/sequences.py: MOTChallenge files as published, and the faults that people's files have."""

from pathlib import Path

import pandas as pd
import pytest

from reidops.errors import ReidopsError
from reidops.mot.sequences import (
    find_sequences,
    read_annotations,
    read_detections,
    read_results,
    read_sequence,
    scene_of,
    write_results,
)

INFO = "[Sequence]\nname=MOT17-02-FRCNN\nimDir=img1\nframeRate=30\nseqLength=9\nimWidth=64\nimHeight=48\nimExt=.jpg\n"
GT = "1,1,11,21,30,40,1,1,0.5\n2,1,12,21,30,40,0,7,1\n"


def sequence(folder: Path, gt: str | bytes = GT, det: str = "1,-1,3.5,4,10,20,0.9\n", info: str = INFO):
    root = folder / "train" / "MOT17-02-FRCNN"
    for name in ("gt", "det", "img1"):
        (root / name).mkdir(parents=True)
    (root / "gt" / "gt.txt").write_bytes(gt if isinstance(gt, bytes) else gt.encode())
    (root / "det" / "det.txt").write_text(det)
    (root / "seqinfo.ini").write_text(info)
    return read_sequence(root)


def test_pixels_are_zero_based_and_frames_one_based(tmp_path):
    rows = read_annotations(sequence(tmp_path))
    assert rows.loc[0, ["frame", "track_id", "left", "top", "width", "height"]].tolist() == [1, 1, 10, 20, 30, 40]
    assert rows["considered"].tolist() == [True, False]
    assert rows["class_id"].tolist() == [1, 7]
    assert read_detections(find_sequences(tmp_path)[0]).loc[0, ["left", "top", "confidence"]].tolist() == [2.5, 3, 0.9]


def test_seqinfo_gives_length_rate_and_size(tmp_path):
    found = sequence(tmp_path)
    assert (found.name, found.scene, found.detector, found.length, found.frame_rate, found.width, found.height) == (
        "MOT17-02-FRCNN",
        "02",
        "FRCNN",
        9,
        30.0,
        64,
        48,
    )
    assert found.frame_path(7).name == "000007.jpg"


@pytest.mark.parametrize(
    ("names", "seventh"),
    [
        (["000001.jpg", "000007.jpg"], "000007.jpg"),
        (["00000001.jpg", "00000007.jpg", "Thumbs.db"], "00000007.jpg"),  # DanceTrack
        (["1.jpg", "10.jpg", "100.jpg"], "7.jpg"),
        ([], "000007.jpg"),
    ],
)
def test_frames_have_as_many_digits_as_the_set_gives_them(tmp_path, names, seventh):
    sequence(tmp_path)
    folder = tmp_path / "train" / "MOT17-02-FRCNN"
    for name in names:
        (folder / "img1" / name).touch()
    assert read_sequence(folder).frame_path(7).name == seventh


def test_a_dancetrack_row_is_a_considered_pedestrian_in_full_view(tmp_path):
    rows = read_annotations(sequence(tmp_path, "1,0,11,21,30,40,1,1,1\n"))
    assert rows.loc[0, ["track_id", "class_id", "visibility", "considered"]].tolist() == [0, 1, 1.0, True]


@pytest.mark.parametrize("name", ["MOT17-02-FRCNN", "MOT17-02-DPM", "MOT16-02", "MOT17-02", "Venice-2"])
def test_copies_and_editions_of_a_video_are_one_scene(name):
    assert scene_of(name) == "02"


def test_fields_past_the_ninth_do_not_hide_class_and_visibility(tmp_path):
    rows = read_annotations(sequence(tmp_path, "1,1,11,21,30,40,1,3,0.5,7\n2,1,11,21,30,40,1,3,1,7\n"))
    assert rows[["class_id", "visibility"]].to_numpy().tolist() == [[3, 0.5], [3, 1.0]]


def test_mot15_rows_are_pedestrians_in_full_view(tmp_path):
    rows = read_annotations(sequence(tmp_path, "1,1,11,21,30,40,1,-1,-1,-1\n"))
    assert rows.loc[0, ["class_id", "visibility", "considered"]].tolist() == [1, 1.0, True]


@pytest.mark.parametrize("gt", ["\ufeff" + GT, GT.replace("\n", "\r\n"), GT.replace("\n", ",\n"), GT + "\n\n"])
def test_byte_order_mark_crlf_trailing_commas_and_blank_lines_are_tolerated(tmp_path, gt):
    assert len(read_annotations(sequence(tmp_path, gt))) == 2


@pytest.mark.parametrize(
    ("gt", "message"),
    [
        ("", "is empty"),
        ("1,1,2,3,4\n", "at least 6"),
        (GT + "3,1,2,3\n", "line 3 has 4 fields, expected 9 like line 1"),
        ("frame,id,l,t,w,h,f,c,v\n" + GT, "line 1 (frame,id,l,t,w,h,f,c,v) holds text"),
        (GT + "3,1,x,3,4,5,1,1,1\n", "line 3"),
        (GT + "3,1,nan,3,4,5,1,1,1\n", "NaN"),
        (GT + "3,1,2,3,-4,5,1,1,1\n", "line 3 (3,1,2,3,-4,5,1,1,1): its box has no area"),
        ("0,1,2,3,4,5,1,1,1\n9,1,2,3,4,5,1,1,1\n", "frames count from 1"),
        ("10,1,2,3,4,5,1,1,1\n", "outside 1 … 9"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, gt, message):
    with pytest.raises(ReidopsError) as caught:
        read_annotations(sequence(tmp_path, gt))
    assert message in str(caught.value) and "gt.txt" in str(caught.value)


@pytest.mark.parametrize(
    "info", [INFO.replace("seqLength=9\n", ""), INFO.replace("=64", "=wide"), "name=x\n", "\0[Sequence"]
)
def test_a_faulty_seqinfo_is_named(tmp_path, info):
    with pytest.raises(ReidopsError, match=r"seqinfo\.ini.*expected"):
        sequence(tmp_path, info=info)


def test_a_folder_of_another_layout_is_named(tmp_path):
    with pytest.raises(ReidopsError, match="published layout"):
        find_sequences(tmp_path)


def test_results_are_written_one_based_and_read_back(tmp_path):
    tracks = pd.DataFrame(
        {
            "frame": [2, 1],
            "track_id": [1, 1],
            "left": [0.0, 4.5],
            "top": [1.0, 2.0],
            "width": [3.0, 3.0],
            "height": [6.0, 6.0],
            "confidence": [1.0, 0.5],
        }
    )
    write_results(tracks, tmp_path / "r.txt")
    assert (tmp_path / "r.txt").read_text().splitlines()[0] == "1,1,5.50,3.00,3.00,6.00,0.5,-1,-1,-1"
    pd.testing.assert_frame_equal(read_results(tmp_path / "r.txt"), tracks.sort_values("frame").reset_index(drop=True))


def test_a_tracker_that_found_nothing_writes_an_empty_file(tmp_path):
    empty = pd.DataFrame({n: [] for n in ("frame", "track_id", "left", "top", "width", "height", "confidence")})
    write_results(empty, tmp_path / "r.txt")
    assert len(read_results(tmp_path / "r.txt")) == 0


def test_published_cuts_have_their_counts(real_data):
    rows = {s.scene: (len(read_annotations(s)), len(read_detections(s))) for s in find_sequences(real_data / "MOT17")}
    assert rows["09"] == (4629, 1503)


def test_a_file_that_is_no_text_is_named_with_its_byte(tmp_path):
    with pytest.raises(ReidopsError, match="gt.txt: byte 4 is not text"):
        read_annotations(sequence(tmp_path, gt=b"1,1,\xff\xfe"))
