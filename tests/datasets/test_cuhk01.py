"""CUHK01 is read as published: four pictures of each person, two of each camera."""

import json
from pathlib import Path

import pytest
from converted import convert_set
from counted import count_parts
from drawn_picture import write_picture

from reidops.datasets.cuhk01 import PUBLISHED_COUNTS, SET, list_part, reads
from reidops.datasets.two_views import UNPAIRED
from reidops.errors import ReidopsError


def write_set(folder: Path, *, num_people: int = 5) -> Path:
    """Write people 1, 2, … with four pictures each, and a Thumbs.db."""
    for pid in range(1, num_people + 1):
        for picture in (1, 2, 3, 4):
            write_picture(folder / "campus" / f"{pid:04d}{picture:03d}.png", pid)
    (folder / "campus" / "Thumbs.db").write_bytes(b"not a crop")
    return folder


def test_pictures_1_and_2_are_of_one_camera_3_and_4_of_the_other(tmp_path: Path) -> None:
    crops, _ = list_part(write_set(tmp_path / "CUHK01"), "train", "0")
    of_first = crops[crops["published_pid"] == crops["published_pid"].iloc[0]]
    assert of_first["name"].str[4:].tolist() == ["001.png", "002.png", "003.png", "004.png"]
    assert of_first["camera"].tolist() == [1, 1, 2, 2]
    assert (crops["name"].str[:4].astype(int) == crops["published_pid"]).all()


@pytest.mark.parametrize("number", range(10))
def test_the_smaller_half_trains_and_the_others_are_tested(tmp_path: Path, number: int) -> None:
    folder = write_set(tmp_path / "CUHK01")
    (train, _), (test, taken) = (list_part(folder, part, str(number)) for part in ("train", "test"))
    assert set(train["published_pid"]) | set(test["published_pid"]) == {1, 2, 3, 4, 5}
    assert (train["published_pid"].nunique(), test["published_pid"].nunique()) == (2, 3)
    assert test["role"].value_counts().to_dict() == {"query": 6, "gallery": 6}
    assert taken == {"crops": 12, UNPAIRED: 0}


def test_torchreids_splits_say_who_trains(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "CUHK01")
    splits = [
        {"train": [[f"data/cuhk01/campus/{pid:04d}001.png", 0, 0] for pid in (1 + n // 2 % 4, 5)]} for n in range(20)
    ]
    (folder / "splits.json").write_text(json.dumps(splits))
    for number in range(10):
        assert set(list_part(folder, "train", f"splits-{number}")[0]["published_pid"]) == {1 + number % 4, 5}
    assert reads("train", "splits-3") == ("campus", "splits.json")


def test_a_person_with_one_camera_only_is_counted(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "CUHK01")
    for picture in (3, 4):
        (folder / "campus" / f"0002{picture:03d}.png").unlink()
    crops, taken = list_part(folder, "train", "0")
    assert 2 not in set(crops["published_pid"]) and taken == {"crops": len(crops) + 2, UNPAIRED: 2}


@pytest.mark.parametrize("name", ["0001005.png", "001001.png", "0001_1.png"])
def test_a_bad_file_name_is_named(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path / "CUHK01")
    write_picture(folder / "campus" / name, 1)
    with pytest.raises(ReidopsError, match=rf"campus/{name}: a file name of this set is like 0001001\.png"):
        list_part(folder, "train", "0")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=r"campus: no such folder; expected pictures named like 0001001\.png"):
        list_part(tmp_path, "train", "0")


@pytest.mark.slow
def test_a_set_of_the_published_size_has_the_published_counts(tmp_path: Path) -> None:
    (tmp_path / "campus").mkdir()
    for pid in range(1, 972):
        for picture in (1, 2, 3, 4):
            (tmp_path / "campus" / f"{pid:04d}{picture:03d}.png").touch()
    for protocol in ("0", "9-reversed"):
        assert count_parts(SET, tmp_path, protocol) == PUBLISHED_COUNTS["*"]


def test_the_set_converts_to_a_table(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "CUHK01"))
    assert crops["split"].value_counts().to_dict() == {"train": 8, "query": 6, "gallery": 6}
    assert crops["path"].str.endswith(".png").all()
    assert crops["pid"].nunique() == 5 and crops["camid"].nunique() == 2
