"""MARS is read by its published lists: tracklets, queries, distractors, junk."""

from pathlib import Path

import numpy as np
import pytest
from converted import convert_set
from mars_factory import write_mars
from scipy.io import savemat

from reidops.datasets.mars import SET, reads
from reidops.errors import ReidopsError

# person, camera, number of crops
TRAIN = [("0001", 1, 3), ("0001", 1, 2), ("0001", 2, 2), ("0003", 5, 2), ("0003", 6, 1)]
TEST = [
    ("00-1", 1, 2),
    ("0000", 1, 2),
    ("0000", 3, 1),
    ("0002", 1, 2),
    ("0002", 4, 3),
    ("0004", 2, 1),
    ("0004", 2, 2),
    ("0004", 6, 2),
]
QUERIES = [4, 6]  # tracklets of the test table, counted from 1


def write_set(folder: Path) -> Path:
    """Write two people to train, and to test two people, two distractors and junk."""
    return write_mars(folder, TRAIN, TEST, QUERIES)


def test_a_tracklet_is_a_row_of_the_track_table(tmp_path: Path) -> None:
    crops, _ = SET.list_part(write_set(tmp_path), "train", "")
    tracklets = [(*key, len(group)) for key, group in crops.groupby(["tracklet", "published_pid", "camera"])]
    assert [(f"{pid:04d}", camera, length) for _, pid, camera, length in tracklets] == TRAIN
    assert [Path(file).name for file in crops["file"][:4]] == [
        f"0001C1T000{t}F00{f}.jpg" for t, f in ((1, 1), (1, 2), (1, 3), (2, 1))
    ]
    assert crops["frame"][:4].tolist() == [1, 2, 3, 1]
    assert all(Path(file).is_file() for file in crops["file"])


def test_queries_are_the_named_tracklets_and_the_gallery_all_others_but_junk(tmp_path: Path) -> None:
    crops, taken = SET.list_part(write_set(tmp_path), "test", "")
    roles = crops.drop_duplicates("tracklet").set_index("tracklet")[["role", "published_pid"]]
    assert roles["role"].tolist() == ["gallery", "gallery", "query", "gallery", "query", "gallery", "gallery"]
    assert roles["published_pid"].tolist() == [0, 0, 2, 2, 4, 4, 4]
    assert taken == {"crops": 15, "junk (pid -1)": 2, "background (pid 0)": 0}
    assert (crops["distractor"] == (crops["published_pid"] == 0)).all()


def test_no_tracklet_number_is_given_twice(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    train, test = (set(SET.list_part(folder, part, "")[0]["tracklet"]) for part in ("train", "test"))
    assert not train & test


def test_a_tracklet_of_two_people_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    path = folder / "info" / "train_name.txt"
    path.write_text(path.read_text().replace("0001C1T0001F002", "0003C1T0001F002"))
    with pytest.raises(
        ReidopsError, match=r"tracks_train_info\.mat: a tracklet of person 1 in camera 1 holds 0003C1T0001F002\.jpg"
    ):
        SET.list_part(folder, "train", "")


def test_a_bad_file_name_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    path = folder / "info" / "test_name.txt"
    path.write_text(path.read_text().replace("0000C1T0002F002.jpg", "0000_C1.jpg"))
    with pytest.raises(ReidopsError, match=r"test_name\.txt: line 4 \(0000_C1\.jpg\)"):
        SET.list_part(folder, "test", "")


def test_a_list_that_is_no_text_is_named(tmp_path: Path) -> None:
    (write_set(tmp_path) / "info" / "train_name.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ReidopsError, match=r"train_name\.txt: line 1 \(.*\) is no file name of this set"):
        SET.list_part(tmp_path, "train", "")


def test_a_list_that_is_too_short_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    path = folder / "info" / "train_name.txt"
    path.write_text("\n".join(path.read_text().split()[:-2]))
    with pytest.raises(
        ReidopsError, match=r"train_name\.txt: has 8 lines, tracklet 4 of tracks_train_info\.mat is lines 8 … 9"
    ):
        SET.list_part(folder, "train", "")


def test_a_query_that_is_no_tracklet_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    savemat(folder / "info" / "query_IDX.mat", {"query_IDX": np.array([[2, 9]])})
    with pytest.raises(ReidopsError, match=r"query_IDX\.mat: names tracklet 9, .* has tracklets 1 … 8"):
        SET.list_part(folder, "test", "")


@pytest.mark.parametrize("name", reads("test"))
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path)
    (folder / name).rename(folder / "elsewhere")
    with pytest.raises(ReidopsError, match=f"{name}: no such f"):
        SET.list_part(folder, "test", "")


def test_the_set_converts(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "MARS"))
    assert crops.groupby("split")["tracklet"].nunique().to_dict() == {"train": 5, "query": 2, "gallery": 5}
    assert crops.groupby("split")["pid"].unique().map(set)["query"] == set(
        crops.loc[crops["split"] == "gallery", "pid"]
    ) - {-1}
