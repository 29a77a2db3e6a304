"""Runs of frames of one person in one camera are the tracklets of a ReID set."""

from pathlib import Path

import cv2
import numpy as np

from reidops.datasets.leave_out import LeaveOut
from reidops.parts import Part
from reidops.tracklets.runs import cut_runs


def market(folder: Path, names: list[str]) -> Part:
    train = folder / "bounding_box_train"
    train.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(train / f"{name}_01.jpg"), np.zeros((16, 8, 3), np.uint8))
    return Part("adapt", "Market-1501", "market1501", folder, "", "Market-1501", 0, 0)


def runs(part, gap=100, number=16, leave_out=()):
    table = cut_runs(part, gap, number, leave_out)
    return [[Path(file).name[:-7] for file in rows["file"]] for _, rows in table.groupby("piece")], table


def test_a_run_ends_at_a_gap_another_camera_another_recording_and_another_person(tmp_path):
    names = ["0002_c1s1_000100", "0002_c1s1_000200", "0002_c1s1_000301", "0002_c1s2_000301", "0002_c2s1_000301"]
    found, table = runs(market(tmp_path, [*names, "0007_c1s1_000200"]))
    assert found == [[names[0], names[1]], ["0007_c1s1_000200"], [names[2]], [names[3]], [names[4]]]
    assert table["length"].tolist() == [2, 2, 1, 1, 1, 1]


def test_recordings_of_a_camera_do_not_overlap_in_time(tmp_path):
    """The same frame number in two recordings is no proof of two people."""
    _, table = runs(market(tmp_path, ["0002_c1s1_000100", "0002_c1s2_000100", "0003_c1s1_000100"]))
    frames = {Path(file).name[:9]: frame for file, frame in zip(table["file"], table["frame"], strict=True)}
    assert frames["0002_c1s1"] == frames["0003_c1s1"] < frames["0002_c1s2"]


def test_long_runs_are_thinned_evenly_and_keep_their_length(tmp_path):
    names = [f"0002_c1s1_{frame:06d}" for frame in range(0, 90, 10)]
    found, table = runs(market(tmp_path, names), number=3)
    assert found == [[names[0], names[3], names[6]]] and set(table["length"]) == {9}


def test_people_who_are_left_out_of_training_are_left_out_here_too(tmp_path):
    part = market(tmp_path, ["0002_c1s1_000100", "0007_c1s1_000200"])
    named = LeaveOut("Market-1501", "people.csv", "", ("7",))
    assert runs(part, leave_out=[named])[0] == [["0002_c1s1_000100"]]


def test_a_set_without_frame_numbers_has_tracklets_of_one_crop_that_share_no_frame(tmp_path):
    for person in ("ann", "bob"):
        (tmp_path / person).mkdir()
        for name in "abc":
            cv2.imwrite(str(tmp_path / person / f"{name}.jpg"), np.zeros((16, 8, 3), np.uint8))
    part = Part("adapt", "mine", "folder-per-identity", tmp_path, "", "mine", 0, 0)
    _, table = runs(part)
    assert sorted(table["frame"]) == [1, 2, 3, 4, 5, 6] and set(table["length"]) == {1}
