"""People, frames and crops that are on two sides of the split are reported."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from crop_factory import PARTS, write_lists
from inspect_tables import finding_of, inspect, with_value

from reidops.mot.sequences import scene_of
from reidops.validation.leaks import copies_table, count_videos, halved_scenes, scenes_table, sides_table

pytestmark = pytest.mark.slow

HALF = "a video in both train and test or track is split at its half (download.split) and shares no frame"
DIVIDED = "a video does not have some people in train and others in test"
COPY = "no crop has the same bytes as a crop on another side of the split (train, val, test)"
NEAR = "at most 0.00% of the crops have a near-duplicate on another side of the split"
ONE_SIDE = "a person is in only one of train, val and test (except in videos that are split by time)"


def test_a_person_in_train_and_val_is_a_leak(crops, folder):
    shared = with_value(crops, 3, split="val")
    finding = finding_of(ONE_SIDE, shared, folder)
    assert ("pid is 0" in finding.places[0], "in train and in val" in finding.places[0]) == (True, True)


def test_a_person_in_train_and_test_is_a_leak(crops, folder):
    shared = with_value(crops, 3, pid=5)
    finding = finding_of(ONE_SIDE, shared, folder)
    assert "in train and in query or gallery" in finding.places[0]


def test_a_person_may_be_in_train_and_test_of_a_closed_set_only():
    crops = pd.DataFrame({"pid": [0, 0], "dataset": "people", "scene": "people"})
    sides = pd.DataFrame({"pid": [0, 0], "file": "crops.parquet", "row": [0, 1], "side": ["train", "test"]})
    faults = {}
    for protocol in ("", "identity:0.5", "images:0.5"):
        parts = [replace(p, layout="folder-per-identity", dataset="people", scene="people") for p in PARTS[:2]]
        halved = halved_scenes([replace(part, protocol=protocol) for part in parts])
        (faults[protocol],) = sides_table(sides, crops, halved)["fault"]
    leak = "in train and in query or gallery"
    assert faults == {"": leak, "identity:0.5": leak, "images:0.5": ""}


def test_a_person_may_be_on_both_sides_of_a_video_that_is_split_by_time(crops, folder):
    halves = [
        replace(PARTS[0], last_frame=7),
        *(replace(p, sequence="TOY-01", scene="01", first_frame=8) for p in PARTS[1:]),
    ]
    people = crops[crops["pid"].isin([0, 1, 2]) & (crops["frame"] <= 5)]
    later = crops[crops["pid"].isin([0, 1, 2]) & (crops["frame"] > 5)]
    both = pd.concat(
        [people, later.assign(frame=later["frame"] + 2, split=later["frame"].map({7: "query", 9: "gallery"}))]
    )
    write_lists(both, folder / "meta")
    assert set(inspect(both, folder, halves, max_share=1.0)) == {"val has at least 2 people"}


def test_a_video_in_train_and_track_is_a_leak_also_under_another_name(crops, folder):
    parts = [
        replace(PARTS[0], dataset="MOT16", sequence="MOT16-02", scene="02"),
        replace(PARTS[2], dataset="MOT17", sequence="MOT17-02-FRCNN", scene="02", first_frame=10),
    ]
    finding = finding_of(HALF, crops, folder, parts)
    assert (
        finding.places[0] == "raw/parts.csv: row 0: frames 10 … 12 also in track (MOT17-02-FRCNN), sequence is MOT16-02"
    )
    mot15 = replace(parts[0], dataset="MOT15", sequence="Venice-2", scene=scene_of("Venice-2"))
    assert "sequence is Venice-2" in finding_of(HALF, crops, folder, [mot15, parts[1]]).places[0]
    apart = [replace(parts[0], last_frame=7), replace(parts[1], first_frame=8)]
    assert HALF not in inspect(crops, folder, apart, statement=HALF)


def test_a_video_that_is_divided_elsewhere_than_at_its_half_is_an_error(crops, folder):
    parts = [replace(PARTS[0], last_frame=5), replace(PARTS[1], sequence="TOY-01", scene="01", first_frame=9)]
    finding = finding_of(HALF, crops, folder, parts)
    facts = ("raw/parts.csv: row 0: ", "1 … 5", "9 … 12", "test (TOY-01)", "ends at 7", "sequence is TOY-01")
    assert finding.level == "error"
    assert all(fact in finding.places[0] for fact in facts)


def test_divided_people_of_a_video_are_a_warning(crops, folder):
    divided = [
        replace(PARTS[0], protocol="identity:0.5"),
        replace(PARTS[1], sequence="TOY-01", scene="01", protocol="identity:0.5"),
    ]
    one_video = crops.assign(scene="01", camid=1)
    found = inspect(one_video, folder, divided, max_share=1.0)
    assert (set(found), found[DIVIDED].level) == ({DIVIDED}, "warning")
    assert (
        found[DIVIDED].places[0]
        == "raw/parts.csv: row 0: frames 1 … 12 also in test (TOY-01), with other people, sequence is TOY-01"
    )
    assert finding_of(ONE_SIDE, with_value(one_video, 3, pid=5), folder, divided).level == "error"


def copied(crops, source: int, target: int):
    """Return the crops with the place and digest of crop `target` replaced by those of `source`."""
    same = crops.copy()
    for column in ("offset", "size", "digest"):
        same.loc[target, column] = crops.loc[source, column]
    return same


def test_a_test_crop_in_train_under_another_pid_is_an_error_with_both_paths(crops, folder):
    finding = finding_of(COPY, copied(crops, 3, 26), folder, max_share=0.1)
    facts = (
        f"{folder / 'crops.parquet'}: row 3: ",
        "imgs/TOY-01_000000/000003.jpg of TOY (train)",
        "imgs/TOY-02_000005/000001.jpg of TOY (gallery)",
    )
    assert (finding.level, finding.count) == ("error", 1)
    assert all(fact in finding.places[0] for fact in facts)


def test_a_val_crop_in_train_is_an_error(crops, folder):
    other_video = crops.assign(scene=crops["scene"].mask(crops["split"] == "val", "03"))
    finding = finding_of(COPY, copied(other_video, 3, 16), folder, max_share=0.1)
    assert (finding.level, finding.count) == ("error", 1)
    assert all(fact in finding.places[0] for fact in ("(train)", "imgs/TOY-01_000003/"))


def test_a_crop_of_a_frame_that_every_training_video_holds_is_a_repeated_picture(crops):
    other_video = crops.assign(scene=crops["scene"].mask(crops["split"] == "val", "03"))
    same = copied(other_video, 3, 16)
    number = int(same.loc[3, "frame"])
    table = copies_table(same, {("TOY 01", number), ("TOY 03", int(same.loc[16, "frame"]))})
    assert (table["copy_fault"] == "").all() and "imgs/TOY-01_000003/" in table.loc[3, "repeated_fault"]
    other_frames = copies_table(same, {("TOY 01", number + 1)})
    assert (other_frames["repeated_fault"] == "").all() and other_frames.loc[3, "copy_fault"] != ""


def test_equal_crops_of_one_reid_set_are_an_error_too(crops, folder):
    reid_set = crops.assign(track_id=-1, scene="TOY")
    assert finding_of(COPY, copied(reid_set, 3, 26), folder, max_share=0.1).level == "error"


def test_equal_crops_of_one_video_and_equal_low_crops_are_no_finding(crops, folder):
    one_video = crops.assign(scene="01")
    assert COPY not in inspect(copied(one_video, 3, 26), folder, max_share=0.1, statement=COPY)
    assert COPY not in inspect(copied(crops.assign(height=15), 3, 26), folder, max_share=0.1, statement=COPY)


def test_a_crop_that_was_encoded_again_on_another_side_is_a_warning_with_both_paths(crops, folder):
    encoded_again = copied(crops, 3, 26)
    encoded_again.loc[26, "digest"] = np.uint64(1)
    finding = finding_of(NEAR, encoded_again, folder)
    assert (finding.level, finding.count) == ("warning", 1)
    facts = ("row 26: imgs/TOY-02_000005/000001.jpg (test)", "imgs/TOY-01_000000/")
    assert all(fact in finding.places[0] for fact in facts)
    assert inspect(encoded_again, folder, max_share=0.1) == {}


def test_videos_that_are_on_two_sides_intentionally_are_counted(crops):
    halves = [replace(PARTS[0], last_frame=7), replace(PARTS[1], sequence="TOY-01", scene="01", first_frame=8)]
    divided = [
        replace(PARTS[0], protocol="identity:0.5"),
        replace(PARTS[1], sequence="TOY-01", scene="01", protocol="identity:0.5"),
    ]
    counts = [
        list(count_videos(scenes_table(parts, "parts.csv"), crops).values()) for parts in (PARTS, halves, divided)
    ]
    assert counts == [[0, 0, 1], [1, 0, 1], [0, 1, 1]]  # the people of TOY-01 are in train and in val throughout
