"""File lists have mmdetection's format, and labels that are never given twice."""

from pathlib import Path

import pandas as pd
import pytest

from reidops.datasets.label_lists import read_list, write_lists
from reidops.errors import ReidopsError


def crops() -> pd.DataFrame:
    rows = [
        ("b_000002", "train"),
        ("a_000007", "train"),
        ("c_000001", "val"),
        ("a_000009", "val"),
        ("d_000001", "gallery"),
    ]
    return pd.DataFrame(
        [(f"imgs/{person}/{k:06d}.jpg", split) for person, split in rows for k in (1, 0)], columns=["path", "split"]
    )


def test_lines_are_paths_below_imgs_and_labels_from_zero(tmp_path: Path) -> None:
    write_lists(crops(), tmp_path, 0.2)
    lines = (tmp_path / "train_80.txt").read_text().splitlines()
    assert lines == ["a_000007/000000.jpg 0", "a_000007/000001.jpg 0", "b_000002/000000.jpg 1", "b_000002/000001.jpg 1"]


def test_labels_of_val_go_on_where_those_of_train_end(tmp_path: Path) -> None:
    write_lists(crops(), tmp_path, 0.2)
    assert sorted(read_list(tmp_path / "val_20.txt")["label"].unique()) == [2, 3]
    joined = read_list(tmp_path / "train.txt")
    assert joined.groupby("label")["path"].agg(lambda paths: paths.str[:-11].nunique()).tolist() == [1, 1, 1, 1]


def test_without_training_people_the_lists_are_empty(tmp_path: Path) -> None:
    write_lists(crops().iloc[:0], tmp_path, 0.2)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "train_80.txt": "",
        "val_20.txt": "",
        "train.txt": "",
    }


def test_the_numbers_in_the_names_add_up_to_a_hundred(tmp_path: Path) -> None:
    write_lists(crops(), tmp_path, 0.29)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.txt", "train_71.txt", "val_29.txt"]


def test_a_list_reads_back(tmp_path: Path) -> None:
    write_lists(crops(), tmp_path, 0.2)
    table = read_list(tmp_path / "train_80.txt")
    assert table["path"].tolist() == sorted(crops().query("split == 'train'")["path"])


def test_a_line_without_label_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a/000000.jpg 0\na/000001.jpg\n")
    with pytest.raises(ReidopsError, match=r"train\.txt: line 2 \(a/000001\.jpg\)"):
        read_list(tmp_path / "train.txt")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_list_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "train.txt").write_bytes(content)
    with pytest.raises(ReidopsError, match=r"train\.txt: cannot be read"):
        read_list(tmp_path / "train.txt")


def test_a_byte_order_mark_crlf_and_blank_lines_are_tolerated(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes("\ufeffa b/000000.jpg 0\r\n\r\nc/000001.png 1\r\n".encode())
    table = read_list(tmp_path / "train.txt")
    assert list(table.itertuples(index=False, name=None)) == [("imgs/a b/000000.jpg", 0), ("imgs/c/000001.png", 1)]
