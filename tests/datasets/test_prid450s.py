"""PRID450S is read as published: one picture of each person in each of two views, masks and part labels beside them."""

import json
from pathlib import Path

import pytest
from converted import convert_set
from counted import count_parts
from drawn_picture import write_picture

from reidops.datasets.prid450s import PUBLISHED_COUNTS, SET, list_part
from reidops.datasets.two_views import UNPAIRED
from reidops.errors import ReidopsError


def write_set(folder: Path, *, num_people: int = 5) -> Path:
    """Write people 1, 2, … and a mask of each, which is no picture."""
    for view in ("cam_a", "cam_b"):
        for pid in range(1, num_people + 1):
            write_picture(folder / view / f"img_{pid:03d}.png", pid)
            write_picture(folder / view / f"mask_{pid:03d}.png", pid)
    (folder / "readme.txt").write_text("PRID450S\n")
    return folder


def test_the_pictures_are_listed_and_the_masks_are_not(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "prid_450s")
    names = [name for part in ("train", "test") for name in list_part(folder, part, "0")[0]["name"]]
    assert sorted(names) == sorted(f"{view}_img_{pid:03d}.png" for view in ("cam_a", "cam_b") for pid in range(1, 6))


@pytest.mark.parametrize("number", range(10))
def test_half_the_people_train_and_the_others_are_tested(tmp_path: Path, number: int) -> None:
    folder = write_set(tmp_path / "prid_450s")
    (train, _), (test, taken) = (list_part(folder, part, str(number)) for part in ("train", "test"))
    assert set(train["published_pid"]) | set(test["published_pid"]) == {1, 2, 3, 4, 5}
    assert (train["published_pid"].nunique(), test["published_pid"].nunique()) == (2, 3)
    assert test["role"].value_counts().to_dict() == {"query": 3, "gallery": 3}
    assert dict(zip(test["role"], test["camera"], strict=True)) == {"query": 1, "gallery": 2}
    assert taken == {"crops": 6, UNPAIRED: 0}


def test_torchreids_splits_say_who_trains(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "prid_450s")
    splits = [
        {"train": [[f"data/prid450s/cam_a/img_{pid:03d}.png", 0, 0] for pid in (1 + n % 4, 5)]} for n in range(10)
    ]
    (folder / "splits.json").write_text(json.dumps(splits))
    for number in range(10):
        assert set(list_part(folder, "train", f"splits-{number}")[0]["published_pid"]) == {1 + number % 4, 5}


def test_a_person_without_the_other_view_is_counted(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "prid_450s")
    (folder / "cam_a" / "img_002.png").unlink()
    crops, taken = list_part(folder, "test", "0")
    assert 2 not in set(crops["published_pid"]) and taken[UNPAIRED] == 1


def test_a_bad_file_name_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "prid_450s")
    write_picture(folder / "cam_a" / "img_seven.png", 7)
    with pytest.raises(ReidopsError, match=r"cam_a/img_seven\.png: a file name of this set is like img_001\.png"):
        list_part(folder, "train", "0")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "prid_450s")
    (folder / "cam_a").rename(folder / "cam_c")
    with pytest.raises(ReidopsError, match=r"cam_a: no such folder"):
        list_part(folder, "train", "0")


def test_a_set_of_the_published_size_has_the_published_counts(tmp_path: Path) -> None:
    for view in ("cam_a", "cam_b"):
        (tmp_path / view).mkdir()
        for pid in range(1, 451):
            (tmp_path / view / f"img_{pid:03d}.png").touch()
    for protocol in ("0", "9-reversed"):
        assert count_parts(SET, tmp_path, protocol) == PUBLISHED_COUNTS["*"]


def test_the_set_converts_to_a_table(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "prid_450s"))
    assert crops["split"].value_counts().to_dict() == {"train": 4, "query": 3, "gallery": 3}
    assert crops["path"].str.endswith(".png").all()
    assert crops["pid"].nunique() == 5 and crops["camid"].nunique() == 2
