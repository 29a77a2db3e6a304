"""VeRi-776 is read by its published rules."""

from pathlib import Path

import pytest
from converted import convert_set
from drawn_picture import write_picture

from reidops.datasets.veri776 import SET, list_part
from reidops.errors import ReidopsError

QUERY = "0002_c002_00030600_0.jpg"


def write_set(folder: Path) -> Path:
    """Write vehicles 1 and 3 to train, 2 to query and test; as published, the queries are in image_test too."""
    crops = {
        "image_train": [
            "0001_c001_00016450_0.jpg",
            "0001_c020_00016460_0.jpg",
            "0003_c004_00000005_1.jpg",
            "0003_c005_00000010_0.jpg",
        ],
        "image_query": [QUERY, "0002_c003_00084280_0.jpg"],
        "image_test": [QUERY, "0002_c002_00030605_1.jpg", "0002_c003_00084280_0.jpg"],
    }
    for name, files in crops.items():
        for file in files:
            write_picture(folder / name / file, int(file[:4]))
    (folder / "name_query.txt").write_text(f"{QUERY}\n")
    return folder


def test_every_training_crop_has_vehicle_camera_and_frame_of_its_name(tmp_path: Path) -> None:
    crops, taken = list_part(write_set(tmp_path), "train")
    assert crops[["name", "published_pid", "camera", "frame"]].values.tolist() == [
        ["0001_c001_00016450_0.jpg", 1, 1, 16450],
        ["0001_c020_00016460_0.jpg", 1, 20, 16460],
        ["0003_c004_00000005_1.jpg", 3, 4, 5],
        ["0003_c005_00000010_0.jpg", 3, 5, 10],
    ]
    assert taken == {"crops": 4}


def test_a_query_stays_in_the_gallery_too_under_a_name_of_its_own(tmp_path: Path) -> None:
    crops, taken = list_part(write_set(tmp_path), "test")
    assert crops["role"].tolist() == ["query", "query", "gallery", "gallery", "gallery"]
    same = crops[crops["file"].str.endswith(QUERY)]
    assert same[["role", "name"]].values.tolist() == [["query", f"query_{QUERY}"], ["gallery", QUERY]]
    assert not crops.duplicated(["published_pid", "name"]).any()
    assert taken == {"crops": 5}


@pytest.mark.parametrize(
    "name", ["0002_c021_00000001_0.jpg", "0002_c000_00000001_0.jpg", "0000_c001_00000001_0.jpg", "car.jpg"]
)
def test_a_file_that_is_not_of_this_set_is_named(tmp_path: Path, name: str) -> None:
    (write_set(tmp_path) / "image_test" / name).write_bytes(b"x")
    with pytest.raises(ReidopsError, match=f"image_test/{name}: a file name of VeRi-776 is like"):
        list_part(tmp_path, "test")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match="image_query: no such folder"):
        list_part(tmp_path, "test")


def test_the_set_is_converted(tmp_path: Path) -> None:
    crops = convert_set(SET, write_set(tmp_path / "set"))
    assert crops.groupby("split")["pid"].agg(["size", "nunique"]).T.to_dict("list") == {
        "gallery": [3, 1],
        "query": [2, 1],
        "train": [4, 2],
    }
    assert f"imgs/VeRi-776_000002/query_{QUERY}" in set(crops["path"])
