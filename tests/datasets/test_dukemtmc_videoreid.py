"""DukeMTMC-VideoReID is read as published, with or without underlines in the file names."""

import shutil
from pathlib import Path

import pytest
from converted import convert_set
from drawn_picture import write_picture

from reidops.datasets.dukemtmc_videoreid import SET
from reidops.errors import ReidopsError

# split → (person, tracklet, camera, kind, first frame of the video)
TRACKLETS = {
    "train": [(1, 1, 2, "X", 100), (1, 2, 6, "X", 100), (3, 3, 1, "X", 500)],
    "query": [(2, 1, 1, "X", 700)],
    "gallery": [(2, 1, 1, "X", 700), (2, 2, 5, "X", 900), (4, 3, 8, "D", 1000)],
}


def write_set(folder: Path, separator: str = "_") -> Path:
    """Write two people to train, and to test one of whom the gallery holds the query's tracklet too, and a
    distractor.
    """
    for split, tracklets in TRACKLETS.items():
        for pid, tracklet, camera, kind, start in tracklets:
            for number in (1, 2, 3):
                name = separator.join(
                    (f"{pid:04d}", f"C{camera}", f"F{number:04d}", f"{kind}{start + 12 * number}.jpg")
                )
                write_picture(folder / split / f"{pid:04d}" / f"{tracklet:04d}" / name, pid)
    return folder


@pytest.mark.parametrize("separator", ["_", ""])
def test_a_folder_is_a_tracklet_of_one_person_and_one_camera(tmp_path: Path, separator: str) -> None:
    crops, taken = SET.list_part(write_set(tmp_path, separator), "train", "")
    groups = crops.groupby("tracklet")
    assert groups[["published_pid", "camera"]].first().to_numpy().tolist() == [[1, 2], [1, 6], [3, 1]]
    assert crops["frame"][:3].tolist() == [112, 124, 136]
    assert (taken, set(crops["role"])) == ({"crops": 9}, {""})


def test_query_and_gallery_are_as_published_and_share_no_number(tmp_path: Path) -> None:
    crops, _ = SET.list_part(write_set(tmp_path), "test", "")
    tracklets = crops.drop_duplicates("tracklet")
    assert tracklets["role"].tolist() == ["query", "gallery", "gallery", "gallery"]
    assert tracklets["distractor"].tolist() == [False, False, False, True]
    assert not crops.duplicated(["published_pid", "name"]).any()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("0003_C9_F0001_X5.jpg", "a file name of this set is like"),
        ("0001_C1_F0001_X5.jpg", "is in the folder of person 0003, .* 0001"),
        ("0003_C2_F0009_X5.jpg", "shows person 3 in camera 2, .* person 3 in camera 1"),
    ],
)
def test_a_strange_file_is_named(tmp_path: Path, name: str, fault: str) -> None:
    folder = write_set(tmp_path)
    write_picture(folder / "train" / "0003" / "0003" / name, 3)
    with pytest.raises(ReidopsError, match=rf"train/0003/0003/.*\.jpg: {fault}"):
        SET.list_part(folder, "train", "")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    shutil.rmtree(folder / "gallery" / "0002" / "0002")
    (folder / "gallery" / "0002" / "0002").mkdir()
    with pytest.raises(ReidopsError, match=r"gallery/0002/0002: holds no \.jpg"):
        SET.list_part(folder, "test", "")
    shutil.rmtree(folder / "query")
    with pytest.raises(ReidopsError, match="query: no such folder"):
        SET.list_part(folder, "test", "")


def test_whoever_uses_the_set_is_told_that_it_was_withdrawn() -> None:
    assert "withdrew" in SET.notice


def test_the_set_converts(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "DukeMTMC-VideoReID"))
    assert crops.groupby("split")["tracklet"].nunique().to_dict() == {"train": 3, "query": 1, "gallery": 3}
    assert (crops["pid"] == -1).sum() == 3
