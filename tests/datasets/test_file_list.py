"""mmdetection's file lists are read, also those that this pipeline leaves."""

import tarfile
from pathlib import Path

import pytest
from converted import convert_set
from drawn_picture import write_picture
from market_factory import write_market_set

from reidops.datasets import market1501
from reidops.datasets.file_list import SET
from reidops.datasets.label_lists import write_lists
from reidops.errors import ReidopsError

TRAIN = {"b_000002": 2, "a_000007": 3, "d_000001": 2}
VAL = {"c_000001": 4, "e_000005": 1}


def write_set(folder: Path) -> Path:
    """Write three people to train and two to test, with labels that start again, and a list that joins the two."""
    for name, people in (("train_80", TRAIN), ("val_20", VAL), ("train", TRAIN | VAL)):
        lines = [f"{person}/{k:06d}.jpg {label}" for label, person in enumerate(people) for k in range(people[person])]
        (folder / "meta").mkdir(parents=True, exist_ok=True)
        (folder / "meta" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    for pid, (person, length) in enumerate((TRAIN | VAL).items()):
        for k in range(length):
            write_picture(folder / "imgs" / person / f"{k:06d}.jpg", pid)
    return folder


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_people_are_their_folders_though_labels_start_again(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    train, test = (SET.list_part(folder, part, "")[0] for part in ("train", "test"))
    assert train["published_pid"].tolist() == [1, 1, 0, 0, 0, 3, 3]  # the places of b, a, d among a … e
    assert test["published_pid"].tolist() == [2, 2, 2, 2, 4]
    assert all(Path(file).is_file() for file in [*train["file"], *test["file"]])


def test_some_crops_of_each_tested_person_ask(tmp_path: Path) -> None:
    crops, taken = SET.list_part(write_set(tmp_path), "test", "")
    assert crops["role"].tolist() == ["gallery", "gallery", "query", "gallery", "gallery"]
    assert taken == {"crops": 5, "people with one crop (gallery only)": 1}


def test_the_list_of_everybody_trains_where_no_other_is_clear(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / "meta" / "train_80.txt").unlink()
    assert SET.list_part(folder, "train", "")[0]["published_pid"].nunique() == 5


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("a_000007/000001.jpg 1", "a_000007/000001.jpg 9", "line 4: person a_000007 was 1 before and is 9 here"),
        ("a_000007/000001.jpg 1", "b_000002/000002.jpg 1", "line 4: label 1 was a_000007 before and is b_000002 here"),
        ("a_000007/000001.jpg 1", "a_000007/000000.jpg 1", "line 4: imgs/a_000007/000000.jpg is listed twice"),
        (
            "\na_000007/000001.jpg 1",
            "\n\na_000007/000009.jpg 1",
            r"line 5: .*imgs/a_000007/000009\.jpg is missing \(1 such images\)",
        ),
        ("a_000007/000001.jpg 1", "a_000007/000001.jpg", r"line 4 \(a_000007/000001\.jpg\)"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    folder = write_set(tmp_path)
    replace_in(folder / "meta" / "train_80.txt", old, new)
    with pytest.raises(ReidopsError, match=rf"train_80\.txt: {fault}"):
        SET.list_part(folder, "train", "")


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / "meta" / "val_20.txt").unlink()
    with pytest.raises(
        ReidopsError, match=r"meta: holds train\.txt, train_80\.txt; expected one val_<n>\.txt, or val\.txt to test on"
    ):
        SET.list_part(folder, "test", "")


def test_one_person_is_too_few(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / "meta" / "val_20.txt").write_text("c_000001/000000.jpg 0\nc_000001/000001.jpg 0\n")
    with pytest.raises(ReidopsError, match=r"val_20\.txt: holds one person only"):
        SET.list_part(folder, "test", "")


def test_an_empty_val_list_trains_and_is_named_in_the_test(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / "meta" / "val_20.txt").write_text("")
    assert len(SET.list_part(folder, "train", "")[0]) == 7
    with pytest.raises(ReidopsError, match=r"val_20\.txt: holds no person"):
        SET.list_part(folder, "test", "")


def test_the_set_converts(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "mine"))
    assert crops["split"].value_counts().to_dict() == {"train": 7, "gallery": 4, "query": 1}
    assert crops["pid"].nunique() == 5


def test_what_this_pipeline_leaves_is_read_again(tmp_path: Path) -> None:
    crops = convert_set(market1501.SET, write_market_set(tmp_path / "Market-1501", num_train=4), parts=("train",))
    people = sorted(set(crops["pid"]))
    crops.loc[crops["pid"].isin(people[2:]), "split"] = "val"
    write_lists(crops, tmp_path / "again" / "meta", 0.5)
    with tarfile.open(tmp_path / "crops.tar") as tar:
        tar.extractall(tmp_path / "again", filter="data")
    train, test = (SET.list_part(tmp_path / "again", part, "")[0] for part in ("train", "test"))
    assert (len(train), len(test), train["published_pid"].nunique(), test["published_pid"].nunique()) == (6, 6, 2, 2)
    assert set(train["camera"]) == {1, 2, 3}
    assert not set(train["published_pid"]) & set(test["published_pid"])


def test_plain_lists_are_read_without_numbers_in_their_names(tmp_path: Path) -> None:
    folder = write_set(tmp_path)
    (folder / "meta" / "train_80.txt").rename(folder / "meta" / "train.txt")
    (folder / "meta" / "val_20.txt").rename(folder / "meta" / "val.txt")
    train, test = (SET.list_part(folder, part, "")[0] for part in ("train", "test"))
    assert (set(train["folder"]), set(test["folder"])) == (set(TRAIN), set(VAL))
