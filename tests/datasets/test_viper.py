"""VIPeR is read as published: one picture of each person in each of two views."""

import json
from pathlib import Path

import pytest
from converted import convert_set
from counted import count_parts
from drawn_picture import write_picture

from reidops.datasets.two_views import UNPAIRED
from reidops.datasets.viper import PUBLISHED_COUNTS, SET, list_part, reads
from reidops.errors import ReidopsError

PEOPLE = (0, 1, 2, 7, 11, 873)


def write_set(folder: Path) -> Path:
    """Write six people, with the published numbers that have gaps, a readme and a Thumbs.db."""
    for pid in PEOPLE:
        write_picture(folder / "cam_a" / f"{pid:03d}_{45 * (pid % 3)}.bmp", pid)
        write_picture(folder / "cam_b" / f"{pid:03d}_{90 + 45 * (pid % 3)}.bmp", pid)
    (folder / "README.txt").write_text("VIPeR\n")
    (folder / "cam_a" / "Thumbs.db").write_bytes(b"not a crop")
    return folder


def write_splits(folder: Path, training: list[list[int]]) -> None:
    """Write splits.json as torchreid does: each division twice, once per direction, with the paths of another
    machine.
    """
    splits = []
    for people in training:
        pictures = [
            f"/home/me/viper/VIPeR/{view}/{path.name}"
            for view in ("cam_a", "cam_b")
            for pid in people
            for path in (folder / view).glob(f"{pid:03d}_*.bmp")
        ]
        splits += [{"train": [[path, 0, 0] for path in pictures], "query": [], "gallery": []}] * 2
    (folder / "splits.json").write_text(json.dumps(splits))


def test_each_crop_has_person_view_and_a_name_of_its_own(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "VIPeR")
    crops = list_part(folder, "train", "0")[0]
    for row in crops.itertuples():
        view = ("cam_a", "cam_b")[row.camera - 1]
        assert Path(row.file).parent == folder / view
        assert int(Path(row.file).name[:3]) == row.published_pid
        assert row.name == f"{view}_{Path(row.file).name}"
    assert len(set(crops["name"])) == len(crops) == 6


def test_half_the_people_train_and_the_others_are_tested(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "VIPeR")
    for number in range(10):
        (train, _), (test, taken) = (list_part(folder, part, str(number)) for part in ("train", "test"))
        assert set(train["published_pid"]).isdisjoint(test["published_pid"])
        assert train["published_pid"].nunique() == 3
        assert test["role"].value_counts().to_dict() == {"query": 3, "gallery": 3}
        assert taken == {"crops": 6, UNPAIRED: 0}


def test_torchreids_splits_say_who_trains(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "VIPeR")
    divisions = [[0, 1, 2], [7, 11, 873], *[[0, 7, 873]] * 8]
    write_splits(folder, divisions)
    for number in range(3):
        for protocol in (f"splits-{number}", f"splits-{number}-reversed"):
            train, test = (list_part(folder, part, protocol)[0] for part in ("train", "test"))
            assert sorted(set(train["published_pid"])) == divisions[number]
            assert sorted(set(test["published_pid"])) == sorted(set(PEOPLE) - set(divisions[number]))


@pytest.mark.parametrize(
    ("content", "finding"), [("{}", "is no list of ten"), ("no json", "is no list of ten"), (None, "No such file")]
)
def test_a_wrong_file_of_splits_is_named(tmp_path: Path, content: str | None, finding: str) -> None:
    folder = write_set(tmp_path / "VIPeR")
    if content is not None:
        (folder / "splits.json").write_text(content)
    with pytest.raises(ReidopsError, match=rf"splits\.json: {finding}"):
        list_part(folder, "train", "splits-0")


def test_a_split_that_trains_on_a_picture_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "VIPeR")
    write_splits(folder, [[0, 1, 2]] * 10)
    next((folder / "cam_a").glob("001_*.bmp")).unlink()
    with pytest.raises(ReidopsError, match=r"splits\.json: split 4 trains on cam_a/001_45\.bmp, which is not in"):
        list_part(folder, "train", "splits-4")


def test_a_protocol_reads_what_it_needs() -> None:
    assert reads("train", "0") == reads("test", "9-reversed") == ("cam_a", "cam_b")
    assert reads("train", "splits-0") == ("cam_a", "cam_b", "splits.json")


def test_a_person_without_the_other_view_is_counted(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "VIPeR")
    next((folder / "cam_b").glob("873_*.bmp")).unlink()
    for part in ("train", "test"):
        crops, taken = list_part(folder, part, "0")
        assert 873 not in set(crops["published_pid"])
        assert taken[UNPAIRED] == 1


def test_a_bad_file_name_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "VIPeR")
    write_picture(folder / "cam_b" / "person7.bmp", 7)
    with pytest.raises(ReidopsError, match=r"cam_b/person7\.bmp: a file name of this set is like 000_45\.bmp"):
        list_part(folder, "train", "0")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "VIPeR")
    (folder / "cam_b").rename(folder / "cam_c")
    with pytest.raises(ReidopsError, match=r"cam_b: no such folder; expected pictures named like 000_45\.bmp"):
        list_part(folder, "test", "0")


@pytest.mark.slow
def test_a_set_of_the_published_size_has_the_published_counts(tmp_path: Path) -> None:
    for view in ("cam_a", "cam_b"):
        (tmp_path / view).mkdir()
        for pid in range(632):
            (tmp_path / view / f"{pid:03d}_45.bmp").touch()
    for protocol in ("0", "9-reversed"):
        assert count_parts(SET, tmp_path, protocol) == PUBLISHED_COUNTS["*"]


def test_the_set_converts_to_a_table(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "VIPeR"))
    assert crops["split"].value_counts().to_dict() == {"train": 6, "query": 3, "gallery": 3}
    assert crops["path"].str.endswith(".bmp").all()
    assert crops["pid"].nunique() == 6 and crops["camid"].nunique() == 2
