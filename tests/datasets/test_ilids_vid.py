"""iLIDS-VID is read as published: two cameras, and ten divisions of the people in a .mat file."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from converted import convert_set
from drawn_picture import write_picture
from scipy.io import savemat

from reidops.datasets.ilids_vid import SET, reads
from reidops.errors import ReidopsError

PEOPLE = [1, 2, 5, 9]  # as in the published set, some numbers are nobody's
# Places of the person folders, from 1; the first half of a row is tested.
DIVISIONS = [[1, 2, 3, 4], [4, 1, 3, 2], *([[2, 3, 4, 1]] * 8)]


def write_set(folder: Path) -> Path:
    """Write four people with three pictures from each camera, and ten divisions."""
    for camera in (1, 2):
        for pid in PEOPLE:
            for frame in (317, 318, 325):
                name = f"cam{camera}_person{pid:03d}_{frame:05d}.png"
                write_picture(folder / "i-LIDS-VID" / "sequences" / f"cam{camera}" / f"person{pid:03d}" / name, pid)
    write_divisions(folder, DIVISIONS)
    return folder


def write_divisions(folder: Path, divisions: list[list[int]]) -> None:
    path = folder / "train-test people splits" / "train_test_splits_ilidsvid.mat"
    path.parent.mkdir(exist_ok=True)
    savemat(path, {"ls_set": np.array(divisions, dtype=np.uint16)})


@pytest.mark.parametrize(
    ("protocol", "trained", "tested"), [("0", {5, 9}, {1, 2}), ("1", {2, 5}, {1, 9}), ("9", {1, 9}, {2, 5})]
)
def test_the_first_half_of_a_division_is_tested(
    tmp_path: Path, protocol: str, trained: set[int], tested: set[int]
) -> None:
    folder = write_set(tmp_path)
    assert set(SET.list_part(folder, "train", protocol)[0]["published_pid"]) == trained
    assert set(SET.list_part(folder, "test", protocol)[0]["published_pid"]) == tested


def test_camera_1_asks_and_camera_2_answers(tmp_path: Path) -> None:
    crops, taken = SET.list_part(write_set(tmp_path), "test", "0")
    assert {tuple(pair) for pair in crops[["camera", "role"]].to_numpy()} == {(1, "query"), (2, "gallery")}
    assert taken == {"crops": 12}


def test_each_person_has_one_tracklet_per_camera_with_the_frames_of_the_names(tmp_path: Path) -> None:
    crops, _ = SET.list_part(write_set(tmp_path), "train", "0")
    groups = crops.groupby("tracklet")
    assert (len(groups), set(groups.size())) == (4, {3})
    assert groups[["published_pid", "camera"]].nunique().max().max() == 1
    assert crops["frame"][:3].tolist() == [317, 318, 325]
    assert not crops["role"].any()


def test_divisions_that_do_not_fit_the_people_are_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    write_divisions(folder, [[1, 2, 2, 4]] * 10)
    with pytest.raises(
        ReidopsError, match=r"ilidsvid\.mat: row 4 of ls_set does not name each of the 4 person folders once"
    ):
        SET.list_part(folder, "train", "3")


def test_a_person_of_one_camera_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    shutil.rmtree(folder / "i-LIDS-VID" / "sequences" / "cam2" / "person005")
    with pytest.raises(ReidopsError, match=r"sequences: person005 is in one camera only"):
        SET.list_part(folder, "train", "0")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("cam1_person001.png", r"cam1_person001\.png: a file name of this set is like"),
        ("cam1_person002_00001.png", r"person001/cam1_person002_00001\.png: .* folder of person 1, camera 1"),
        ("cam2_person001_00001.png", r"person001/cam2_person001_00001\.png: .* folder of person 1, camera 1"),
    ],
)
def test_a_strange_file_name_is_named(tmp_path: Path, name: str, fault: str) -> None:
    folder = write_set(tmp_path)
    write_picture(folder / "i-LIDS-VID" / "sequences" / "cam1" / "person001" / name, 1)
    with pytest.raises(ReidopsError, match=fault):
        SET.list_part(folder, "test", "0")


@pytest.mark.parametrize("name", reads("test"))
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path)
    (folder / name).rename(folder / "elsewhere")
    with pytest.raises(ReidopsError, match=f"{name}: no such f"):
        SET.list_part(folder, "test", "0")


def test_the_set_converts(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "iLIDS-VID"), "1")
    assert crops.groupby("split")["tracklet"].nunique().to_dict() == {"train": 4, "query": 2, "gallery": 2}
    assert (crops["path"].is_unique, crops["frame"].min()) == (True, 317)
