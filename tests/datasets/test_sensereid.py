"""SenseReID is read as published: probes, a larger gallery, and nobody to train on."""

from pathlib import Path

import pytest
from drawn_picture import write_picture
from market_factory import write_market_set

from reidops.datasets.planning import SplitRules, plan_crops
from reidops.datasets.sensereid import SET, list_part, reads
from reidops.errors import ReidopsError
from reidops.mot.crops import BoxRules
from reidops.parts import Part


def write_set(folder: Path) -> Path:
    """Write people 1 and 2 as probes, and people 1 … 4 as gallery; one name is in both folders."""
    for pid in (1, 2):
        write_picture(folder / "test_probe" / f"{pid:05d}_0000.jpg", pid)
    for pid in (1, 2, 3, 4):
        write_picture(folder / "test_gallery" / f"{pid:05d}_0001.jpg", pid)
    write_picture(folder / "test_gallery" / "00002_0000.jpg", 2)
    return folder


def test_probes_ask_and_the_gallery_answers(tmp_path: Path) -> None:
    crops, taken = list_part(write_set(tmp_path / "SenseReID"), "test")
    found = {(row.role, row.published_pid, row.camera) for row in crops.itertuples()}
    assert found == {
        ("query", 1, 0),
        ("query", 2, 0),
        ("gallery", 1, 1),
        ("gallery", 2, 0),
        ("gallery", 2, 1),
        ("gallery", 3, 1),
        ("gallery", 4, 1),
    }
    assert not crops["distractor"].any()
    assert taken == {"crops": 7}


def test_a_probe_and_a_gallery_picture_of_one_name_are_told_apart(tmp_path: Path) -> None:
    crops, _ = list_part(write_set(tmp_path / "SenseReID"), "test")
    of_two = crops.loc[crops["published_pid"] == 2, "name"]
    assert sorted(of_two) == ["test_gallery_00002_0000.jpg", "test_gallery_00002_0001.jpg", "test_probe_00002_0000.jpg"]


def test_asking_for_training_people_says_that_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(ReidopsError, match=r"SenseReID has no training people; name it in download\.test only"):
        list_part(write_set(tmp_path / "SenseReID"), "train")
    assert reads("train") == () and reads("test") == ("test_probe", "test_gallery")


def test_a_bad_file_name_is_named(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "SenseReID")
    write_picture(folder / "test_gallery" / "person7.jpg", 7)
    with pytest.raises(
        ReidopsError, match=r"test_gallery/person7\.jpg: a file name of this set is like 00001_0000\.jpg"
    ):
        list_part(folder, "test")


@pytest.mark.parametrize("name", ["test_probe", "test_gallery"])
def test_a_missing_folder_is_named(tmp_path: Path, name: str) -> None:
    folder = write_set(tmp_path / "SenseReID")
    (folder / name).rename(folder / "elsewhere")
    with pytest.raises(ReidopsError, match=f"{name}: no such folder"):
        list_part(folder, "test")


def test_the_set_is_tested_beside_another_that_trains(tmp_path: Path) -> None:
    rows = [
        Part("train", "Market-1501", "market1501", write_market_set(tmp_path / "Market-1501"), "", "Market-1501", 0, 0),
        Part("test", SET.name, SET.layout, write_set(tmp_path / "SenseReID"), "", SET.name, 0, 0),
    ]
    plan, _ = plan_crops(rows, BoxRules(), SplitRules(val_split=0.0))
    tested = plan[plan["dataset"] == "SenseReID"]
    assert tested["split"].value_counts().to_dict() == {"gallery": 5, "query": 2}
    assert tested["path"].is_unique and tested["pid"].nunique() == 4 and tested["camid"].nunique() == 2
