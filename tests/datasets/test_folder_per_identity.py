"""A folder per person is read, with or without sub-folders for its parts; people are kept apart by their folders'
names.
"""

import shutil
from pathlib import Path

import pytest
from converted import convert_set
from drawn_picture import write_picture

from reidops.datasets.folder_per_identity import SET, holds_people
from reidops.datasets.own_sets import ONE_CROP
from reidops.errors import ReidopsError

PEOPLE = ["Zoë", "0002", "no 7 "]


def write_set(folder: Path, sides: tuple[str, ...] = ("train", "test"), num_crops: int = 5) -> Path:
    """Write three people with five crops into each side, in three formats, beside what a file manager leaves."""
    for side in sides:
        for number, person in enumerate(PEOPLE):
            write_crops(folder / side / person, number, num_crops)
        (folder / side / ".cache").mkdir()
    return folder


def write_crops(folder: Path, pid: int, num_crops: int) -> None:
    for number in range(num_crops):
        write_picture(folder / f"{number}{('.jpg', '.JPEG', '.png')[number % 3]}", pid)
    (folder / "Thumbs.db").write_bytes(b"no crop")
    (folder / "._0.jpg").write_bytes(b"no crop either")


def people(folder: Path, part: str) -> dict[str, int]:
    """Return the number of each person's folder."""
    crops, _ = SET.list_part(folder, part, "")
    return {Path(file).parent.name: pid for file, pid in zip(crops["file"], crops["published_pid"], strict=True)}


def test_a_person_has_one_number_in_all_sub_folders(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    shutil.rmtree(folder / "test" / "0002")
    write_crops(folder / "test" / "another", 9, 5)
    assert people(folder, "train") == {"0002": 0, "Zoë": 1, "no 7 ": 3}
    assert people(folder, "test") == {"Zoë": 1, "another": 2, "no 7 ": 3}


def test_tested_people_with_one_crop_each_are_refused_with_the_number_that_is_needed(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "people", num_crops=1)
    with pytest.raises(
        ReidopsError, match="no query and some gallery crops.*a person needs two crops or more"
    ) as fault:
        convert_set(SET, folder, parts=("test",))
    assert "convert.gap" not in str(fault.value)  # which is of sequences


def test_a_root_without_sub_folders_trains_and_tests(tmp_path: Path) -> None:
    folder = write_set(tmp_path, ("",))
    train, test = (SET.list_part(folder, part, "")[0] for part in ("train", "test"))
    assert (len(train), sorted(train["file"])) == (15, sorted(test["file"]))
    assert (set(train["role"]), set(test["role"])) == ({""}, {"query", "gallery"})
    assert set(train["tracklet"]) == {-1}


@pytest.mark.parametrize(
    ("sides", "trained", "tested"),
    [
        (("train", "test"), {"train"}, {"test"}),
        (("train", "val", "test"), {"train", "val"}, {"test"}),
        (("train", "val"), {"train"}, {"val"}),
        (("train", "val", "query", "gallery"), {"train", "val"}, {"query", "gallery"}),
        (("train", "test", "query", "gallery"), {"train"}, {"query", "gallery"}),
    ],
)
def test_no_sub_folder_trains_and_is_tested(
    tmp_path: Path, sides: tuple[str, ...], trained: set[str], tested: set[str]
) -> None:
    folder = write_set(tmp_path, sides)
    for part, expected in (("train", trained), ("test", tested)):
        crops, _ = SET.list_part(folder, part, "")
        assert {Path(file).parents[1].name for file in crops["file"]} == expected
        assert not crops.duplicated(["published_pid", "name"]).any()


def test_query_and_gallery_are_taken_as_they_are(tmp_path: Path) -> None:
    crops, taken = SET.list_part(write_set(tmp_path, ("train", "query", "gallery")), "test", "")
    assert [Path(file).parents[1].name for file in crops["file"]] == crops["role"].tolist()
    assert taken == {"crops": 30}


@pytest.mark.parametrize(
    ("num_crops", "queries"), [(1, []), (2, [1]), (3, [1]), (7, [3]), (8, [2, 6]), (40, [5, 15, 25, 35])]
)
def test_a_quarter_of_a_persons_crops_but_at_most_four_ask(tmp_path: Path, num_crops: int, queries: list[int]) -> None:
    folder = write_set(tmp_path)
    for number in range(num_crops):
        write_picture(folder / "test" / "new" / f"{number:02d}.jpg", 5)
    crops, taken = SET.list_part(folder, "test", "")
    new = crops[crops["file"].str.contains("/new/")]
    assert [int(Path(file).stem) for file in new.loc[new["role"] == "query", "file"]] == queries
    assert taken[ONE_CROP] == (num_crops == 1)


def test_cameras_come_from_the_names_where_all_have_one(tmp_path: Path) -> None:
    for person in ("a", "b"):
        for camera in (1, 4):
            write_picture(tmp_path / person / f"0002_c{camera}s1_00{camera}.jpg", 1)
    assert SET.list_part(tmp_path, "train", "")[0]["camera"].tolist() == [1, 4, 1, 4]
    write_picture(tmp_path / "a" / "other.jpg", 1)
    assert set(SET.list_part(tmp_path, "train", "")[0]["camera"]) == {0}


def test_a_folder_without_people_or_with_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match="holds no folder; expected a folder of crops for each person"):
        SET.list_part(tmp_path, "train", "")
    write_crops(tmp_path / "a", 1, 3)
    with pytest.raises(ReidopsError, match="holds one person only"):
        SET.list_part(tmp_path, "train", "")
    (tmp_path / "b").mkdir()
    with pytest.raises(ReidopsError, match=r"/b: holds no \.jpg or \.jpeg or .*expected a person"):
        SET.list_part(tmp_path, "train", "")


@pytest.mark.parametrize(
    ("sides", "part", "fault"),
    [
        (("train",), "test", "holds train only"),
        (("test",), "train", "holds test, but no train"),
        (("train", "query"), "test", "holds train, query; add the missing one"),
    ],
)
def test_a_missing_sub_folder_is_named(tmp_path: Path, sides: tuple[str, ...], part: str, fault: str) -> None:
    with pytest.raises(ReidopsError, match=fault):
        SET.list_part(write_set(tmp_path, sides), part, "")


def test_a_set_is_told_from_a_folder_of_something_else(tmp_path: Path) -> None:
    assert holds_people(write_set(tmp_path / "sides"))
    assert holds_people(write_set(tmp_path / "root", ("",)))
    assert not holds_people(tmp_path)
    assert not holds_people(tmp_path / "nowhere")


def test_the_set_converts(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "mine"))
    assert crops["split"].value_counts().to_dict() == {"train": 15, "gallery": 12, "query": 3}
    assert crops.groupby("path").size().max() == 1
    assert crops["pid"].nunique() == 3


def of_people(crops) -> dict[str, set[str]]:
    """Return the file names of each person's crops."""
    return {pid: {Path(file).name for file in group["file"]} for pid, group in crops.groupby("folder")}


def test_people_in_the_root_are_divided_by_identity(tmp_path: Path) -> None:
    folder = write_set(tmp_path, ("",))
    for name in ("a", "b", "c"):
        write_crops(folder / name, 7, 5)
    train, test = (of_people(SET.list_part(folder, part, "identity:0.5")[0]) for part in ("train", "test"))
    assert len(train) == len(test) == 3 and not set(train) & set(test)
    assert all(len(files) == 5 for files in (*train.values(), *test.values()))


def test_by_images_the_last_crops_of_each_person_are_tested_and_one_crop_trains(tmp_path: Path) -> None:
    folder = write_set(tmp_path, ("",))
    write_crops(folder / "single", 9, 1)
    train, test = (of_people(SET.list_part(folder, part, "images:0.4")[0]) for part in ("train", "test"))
    assert set(test) == set(PEOPLE) and set(train) == {*PEOPLE, "single"}
    assert train["0002"] == {"0.jpg", "1.JPEG", "2.png"} and test["0002"] == {"3.jpg", "4.JPEG"}


def test_a_closed_set_converts_with_the_same_people_on_both_sides(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "people", ("",)), "images:0.4")
    people = crops.groupby("split")["pid"].unique().map(set)
    assert people["train"] == people["query"] == people["gallery"] == {0, 1, 2}
    assert not crops["path"].duplicated().any()
