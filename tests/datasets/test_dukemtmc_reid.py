"""DukeMTMC-reID is read by its published rules."""

from pathlib import Path

import pytest
from converted import convert_set
from drawn_picture import write_picture

from reidops.datasets.dukemtmc_reid import SET, list_part
from reidops.errors import ReidopsError


def write_set(folder: Path) -> Path:
    """Write people 1 and 5 to train, person 2 to query and gallery, person 7139 to the gallery only."""
    crops = {
        "bounding_box_train": [(1, 2, 46182), (1, 8, 46302), (5, 1, 100), (5, 3, 220)],
        "query": [(2, 5, 500)],
        "bounding_box_test": [(2, 5, 620), (2, 6, 740), (7139, 4, 9)],
    }
    for name, rows in crops.items():
        for pid, camera, frame in rows:
            write_picture(folder / name / f"{pid:04d}_c{camera}_f{frame:07d}.jpg", pid)
    return folder


def test_every_training_crop_has_person_camera_and_frame_of_its_name(tmp_path: Path) -> None:
    crops, taken = list_part(write_set(tmp_path), "train")
    assert crops[["name", "published_pid", "camera", "frame"]].values.tolist() == [
        ["0001_c2_f0046182.jpg", 1, 2, 46182],
        ["0001_c8_f0046302.jpg", 1, 8, 46302],
        ["0005_c1_f0000100.jpg", 5, 1, 100],
        ["0005_c3_f0000220.jpg", 5, 3, 220],
    ]
    assert set(crops["role"]) == {""} and taken["crops"] == 4


def test_people_whom_nobody_asks_for_stay_in_the_gallery_as_people(tmp_path: Path) -> None:
    crops, _ = list_part(write_set(tmp_path), "test")
    assert crops.groupby("role")["published_pid"].agg(list).to_dict() == {"query": [2], "gallery": [2, 2, 7139]}
    assert not crops["distractor"].any()


@pytest.mark.parametrize("name", ["0002_c9_f0000001.jpg", "0002_c1s1_000001_00.jpg", "0000_c1_f0000001.jpg"])
def test_a_file_that_is_not_of_this_set_is_named(tmp_path: Path, name: str) -> None:
    (write_set(tmp_path) / "query" / name).write_bytes(b"x")
    with pytest.raises(ReidopsError, match=f"query/{name}: .*0001_c2_f0046182.jpg"):
        list_part(tmp_path, "test")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match="bounding_box_train: no such folder"):
        list_part(tmp_path, "train")


def test_whoever_uses_it_is_told_that_it_was_withdrawn() -> None:
    assert "withdrew" in SET.notice


def test_the_set_is_converted(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "set"))
    assert crops.groupby("split")["pid"].agg(["size", "nunique"]).T.to_dict("list") == {
        "gallery": [3, 2],
        "query": [1, 1],
        "train": [4, 2],
    }
    assert "imgs/DukeMTMC-reID_007139/7139_c4_f0000009.jpg" in set(crops["path"])
