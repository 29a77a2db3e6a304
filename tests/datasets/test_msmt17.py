"""MSMT17 is read by its published lists."""

from pathlib import Path

import pytest
from converted import convert_set
from drawn_picture import write_picture

from reidops.datasets.msmt17 import SET, list_part
from reidops.errors import ReidopsError

LISTS = {
    "list_train.txt": ["0000/0000_000_01_0303morning_0008_0.jpg", "0001/0001_000_05_0113noon_0017_2.jpg"],
    "list_val.txt": ["0000/0000_001_15_0303morning_0019_1.jpg", "0001/0001_001_06_0113noon_0020_0.jpg"],
    "list_query.txt": ["0000/0000_000_01_0303morning_0015_0.jpg"],
    "list_gallery.txt": ["0000/0000_001_14_0303morning_0016_0.jpg", "0002/0002_000_03_0302afternoon_0404_1.jpg"],
}


def write_set(folder: Path, train: str = "train", test: str = "test") -> Path:
    """Write people 0 and 1 to train and people 0 and 2, who are others, to test: in the folders of V1 unless told
    otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, crops in LISTS.items():
        is_train = name in ("list_train.txt", "list_val.txt")
        (folder / name).write_text("".join(f"{crop} {int(crop[:4])}\n" for crop in crops))
        for crop in crops:
            write_picture(folder / (train if is_train else test) / crop, int(crop[:4]) + 100 * is_train)
    return folder


def append(file: Path, line: str) -> None:
    """Add a line to a list."""
    file.write_text(file.read_text() + line + "\n")


def test_train_and_val_together_train_and_the_third_field_is_the_camera(tmp_path: Path) -> None:
    crops, taken = list_part(write_set(tmp_path), "train")
    assert crops[["published_pid", "camera", "frame"]].values.tolist() == [
        [0, 1, 8],
        [1, 5, 17],
        [0, 15, 19],
        [1, 6, 20],
    ]
    assert set(crops["role"]) == {""} and taken == {"crops": 4}


def test_person_0_is_a_person(tmp_path: Path) -> None:
    write_set(tmp_path)
    for part in ("train", "test"):
        assert not list_part(tmp_path, part)[0]["distractor"].any()


def test_a_tested_person_never_has_the_number_of_a_trained_one(tmp_path: Path) -> None:
    write_set(tmp_path)
    train, test = (set(list_part(tmp_path, part)[0]["published_pid"]) for part in ("train", "test"))
    assert (train, test) == ({0, 1}, {10_000, 10_002})


def test_query_and_gallery_are_told_by_their_lists(tmp_path: Path) -> None:
    crops, _ = list_part(write_set(tmp_path), "test")
    assert crops[["role", "published_pid", "camera"]].values.tolist() == [
        ["query", 10_000, 1],
        ["gallery", 10_000, 14],
        ["gallery", 10_002, 3],
    ]


def test_the_folders_of_v2_are_known(tmp_path: Path) -> None:
    crops, _ = list_part(write_set(tmp_path, "mask_train_v2", "mask_test_v2"), "test")
    assert crops["file"].iloc[0] == f"{tmp_path}/mask_test_v2/{LISTS['list_query.txt'][0]}"


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("0002/0002_000_03_0302afternoon_0404_1.jpg", r"line 2 \(.*\) is not `<person>/<crop>.jpg <pid>`"),
        ("0002/0002_000_03_0302afternoon_0404_1.jpg two", r"line 2 \(.*two\) is not"),
        (
            "0002/0002_009_03_0302afternoon_0404_1.jpg 2",
            r"line 2: .*0002_009_03_0302afternoon_0404_1\.jpg does not exist",
        ),
        ("0002/0002_c3.jpg 2", r"line 2: 0002_c3\.jpg: a file name of MSMT17 is like"),
        (f"{LISTS['list_query.txt'][0]} 0", r"line 2: .* is listed before, in .*list_query\.txt: line 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, finding: str) -> None:
    append(write_set(tmp_path) / "list_query.txt", line)
    with pytest.raises(ReidopsError, match=rf"list_query\.txt: {finding}"):
        list_part(tmp_path, "test")


def test_a_crop_in_query_and_gallery_is_named_with_both_lines(tmp_path: Path) -> None:
    append(write_set(tmp_path) / "list_gallery.txt", f"{LISTS['list_query.txt'][0]} 0")
    with pytest.raises(
        ReidopsError, match=r"list_gallery\.txt: line 3: .* is listed before, in .*list_query\.txt: line 1"
    ):
        list_part(tmp_path, "test")


def test_a_list_that_is_no_text_is_named(tmp_path: Path) -> None:
    (write_set(tmp_path) / "list_val.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ReidopsError, match=r"list_val\.txt: line 1 \(.*\) is not `<person>"):
        list_part(tmp_path, "train")


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_missing_or_empty_list_is_named(tmp_path: Path, content: str | None) -> None:
    file = write_set(tmp_path) / "list_val.txt"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(ReidopsError, match=r"list_val\.txt: (no such file|is empty)"):
        list_part(tmp_path, "train")


def test_a_missing_folder_of_crops_is_named(tmp_path: Path) -> None:
    (write_set(tmp_path) / "test").rename(tmp_path / "elsewhere")
    with pytest.raises(ReidopsError, match=r"holds neither test \(V1\) nor mask_test_v2 \(V2\)"):
        list_part(tmp_path, "test")


def test_the_set_is_converted(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "set"))
    assert crops.groupby("split")["pid"].agg(["size", "nunique"]).T.to_dict("list") == {
        "gallery": [2, 2],
        "query": [1, 1],
        "train": [4, 2],
    }
    learnt = set(crops.loc[crops["split"] == "train", "pid"])
    assert crops["pid"].min() == 0 and not learnt & set(crops.loc[crops["split"] != "train", "pid"])
    assert crops["camid"].nunique() == 6
