"""Market-1501 is read by its published rules."""

from pathlib import Path

import pytest
from market_factory import write_crop, write_market_set

from reidops.datasets.market1501 import SET
from reidops.errors import ReidopsError


def test_every_training_crop_has_person_camera_and_frame_of_its_name(tmp_path: Path) -> None:
    crops, _ = SET.list_part(write_market_set(tmp_path), "train", "")
    assert len(crops) == 12
    first = crops.iloc[0]
    assert (Path(first["file"]).name, first["published_pid"], first["camera"], first["frame"]) == (
        "0002_c1s1_000201_01.jpg",
        2,
        1,
        201,
    )
    assert crops["file"].is_monotonic_increasing


def test_junk_is_dropped_and_background_stays_in_the_gallery(tmp_path: Path) -> None:
    crops, taken = SET.list_part(write_market_set(tmp_path), "test", "")
    gallery = crops[crops["role"] == "gallery"]
    assert (crops["role"] == "query").sum() == 3
    assert sorted(gallery["published_pid"].unique()) == [0, 6, 7, 8]
    assert taken["junk (pid -1)"] == 1


def test_a_bad_file_name_is_named(tmp_path: Path) -> None:
    folder = write_market_set(tmp_path)
    (folder / "query" / "person7.jpg").write_bytes(b"x")
    with pytest.raises(ReidopsError, match=r"query/person7\.jpg: a file name of this set is like"):
        SET.list_part(folder, "test", "")


def test_a_crop_in_query_and_gallery_is_named(tmp_path: Path) -> None:
    folder = write_market_set(tmp_path)
    write_crop(folder / "bounding_box_test", 6, 1, frame=600)
    with pytest.raises(ReidopsError, match=r"0006_c1s1_000600_01\.jpg is in query and in bounding_box_test"):
        SET.list_part(folder, "test", "")


@pytest.mark.parametrize(("name", "finding"), [("query", "holds no .jpg"), ("nothing", "no such folder")])
def test_a_folder_without_crops_is_named(tmp_path: Path, name: str, finding: str) -> None:
    folder = write_market_set(tmp_path)
    for path in (folder / "query").iterdir():
        path.unlink()
    if name != "query":
        (folder / "query").rmdir()
    with pytest.raises(ReidopsError, match=f"query: {finding}"):
        SET.list_part(folder, "test", "")


def test_the_cut_of_the_real_set_has_its_published_counts(real_data: Path) -> None:
    folder = real_data / "Market-1501-v15.09.15"
    train, _ = SET.list_part(folder, "train", "")
    test, _ = SET.list_part(folder, "test", "")
    assert (len(train), train["published_pid"].nunique()) == (7670, 451)
    assert test["role"].value_counts().to_dict() == {"gallery": 1366, "query": 372}
    assert test["published_pid"].nunique() == 100
