"""PRID2011 is read as published: people whom both cameras saw long enough, halved at random or by torchreid's list."""

import json
import shutil
from pathlib import Path

import pytest
from converted import convert_set
from drawn_picture import write_picture

from reidops.datasets.prid2011 import SET, SPLITS_FILE, list_part, reads
from reidops.errors import ReidopsError

LONG = [1, 2, 4, 5, 7, 8]  # people with 27 pictures from both cameras
DIVISION = {
    "train": ["person_0002", "person_0008", "person_0001"],
    "test": ["person_0004", "person_0005", "person_0007"],
}


def write_set(folder: Path) -> Path:
    """Write six people who were seen long enough, one who was seen too shortly, and two who share a number; and
    torchreid's divisions.
    """
    picture = write_picture(folder / "picture.png", 1)
    for camera, lengths in (("cam_a", {3: 27, 201: 27}), ("cam_b", {3: 26, 201: 30})):
        for pid, length in {**dict.fromkeys(LONG, 27), **lengths}.items():
            person = folder / "prid_2011" / "multi_shot" / camera / f"person_{pid:04d}"
            person.mkdir(parents=True)
            for number in range(1, length + 1):
                shutil.copy(picture, person / f"{number:04d}.png")
    picture.unlink()
    (folder / SPLITS_FILE).write_text(
        json.dumps([DIVISION, *[{"train": DIVISION["test"], "test": DIVISION["train"]}] * 9])
    )
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of `write_set` that no test changes."""
    return write_set(tmp_path_factory.mktemp("published"))


@pytest.mark.parametrize("number", range(10))
def test_the_people_who_were_seen_long_enough_are_halved(published: Path, number: int) -> None:
    folder = published
    train, test = (set(list_part(folder, part, str(number))[0]["published_pid"]) for part in ("train", "test"))
    assert (len(train), train | test, train & test) == (3, set(LONG), set())


def test_the_halves_differ_and_never_change(published: Path) -> None:
    folder = published
    halves = [tuple(sorted(set(list_part(folder, "train", str(number))[0]["published_pid"]))) for number in range(10)]
    assert len(set(halves)) > 3
    assert halves[0] == (2, 4, 8)


def test_the_list_says_who_trains(published: Path) -> None:
    folder = published
    assert set(list_part(folder, "train", "splits-0")[0]["published_pid"]) == {1, 2, 8}
    assert set(list_part(folder, "test", "splits-0")[0]["published_pid"]) == {4, 5, 7}
    assert set(list_part(folder, "train", "splits-9")[0]["published_pid"]) == {4, 5, 7}
    assert SPLITS_FILE in reads("train", "splits-0") and SPLITS_FILE not in reads("train", "0")


def test_camera_a_asks_and_camera_b_answers(published: Path) -> None:
    crops, _ = list_part(published, "test", "splits-0")
    assert {tuple(pair) for pair in crops[["camera", "role"]].to_numpy()} == {(1, "query"), (2, "gallery")}
    groups = crops.groupby("tracklet")
    assert (len(groups), set(groups.size()), groups["published_pid"].nunique().max()) == (6, {27}, 1)
    assert crops["frame"][:27].tolist() == list(range(1, 28))


def test_a_listed_person_without_folder_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    shutil.rmtree(folder / "prid_2011" / "multi_shot" / "cam_b" / "person_0004")
    with pytest.raises(ReidopsError, match=r"cam_b/person_0004: no such folder"):
        list_part(folder, "test", "splits-0")


@pytest.mark.parametrize("content", [b"[]", b"{}", b'[{"train": [3]}]', b"[1]", b"\xff\xd8"])
def test_a_list_of_something_else_is_named(tmp_path: Path, content: bytes) -> None:
    folder = write_set(tmp_path)
    (folder / SPLITS_FILE).write_bytes(content)
    with pytest.raises(ReidopsError, match=r"splits_prid2011\.json: is no list of ten divisions"):
        list_part(folder, "train", "splits-0")


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / SPLITS_FILE).unlink()
    with pytest.raises(ReidopsError, match=r"splits_prid2011\.json: no such file; .* a protocol without 'splits-'"):
        list_part(folder, "train", "splits-0")


@pytest.mark.parametrize("name", reads("test"))
def test_a_missing_camera_is_named(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path)
    (folder / name).rename(folder / "elsewhere")
    with pytest.raises(ReidopsError, match=f"{name}: no such folder"):
        list_part(folder, "test", "0")


def test_a_strange_name_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    write_picture(folder / "prid_2011" / "multi_shot" / "cam_a" / "person_0004" / "7.png", 4)
    with pytest.raises(ReidopsError, match=r"person_0004/7\.png: a file name of this set is like 0001\.png"):
        list_part(folder, "test", "splits-0")
    (folder / "prid_2011" / "multi_shot" / "cam_b" / "someone").mkdir()
    with pytest.raises(ReidopsError, match=r"cam_b/someone: a person.s folder of this set is like person_0001"):
        list_part(folder, "test", "0")


def test_the_set_converts(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "PRID2011"))
    assert crops.groupby("split")["tracklet"].nunique().to_dict() == {"train": 6, "query": 3, "gallery": 3}
    assert crops["path"].is_unique
