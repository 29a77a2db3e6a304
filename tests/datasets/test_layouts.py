"""A folder is recognised by what it holds, and only as what its name allows."""

import shutil
from pathlib import Path

import pytest
from market_factory import write_market_set
from mot_factory import write_mot_set

from reidops.datasets.layouts import expected_layout, find_set, is_laid_out, layout_as, layout_of, listing
from reidops.datasets.motchallenge import PUBLISHED
from reidops.datasets.sets import SETS


def write_people(folder: Path, *people: str) -> Path:
    for person in people:
        (folder / person).mkdir(parents=True)
        (folder / person / "1.jpg").write_bytes(b"a crop")
    return folder


def test_each_layout_is_recognised(tmp_path: Path) -> None:
    write_mot_set(tmp_path / "mot", ("A-01",), num_frames=2)
    write_market_set(tmp_path / "market")
    for name in ("imgs", "meta"):
        (tmp_path / "list" / name).mkdir(parents=True)
    write_people(tmp_path / "people", "anna", "ben")
    write_people(tmp_path / "one", "anna")
    (tmp_path / "nothing").mkdir()
    found = {path.name: layout_of(path) for path in tmp_path.iterdir()}
    assert found == {
        "mot": "mot",
        "market": "market1501",
        "list": "file-list",
        "people": "folder-per-identity",
        "one": None,
        "nothing": None,
    }


def test_a_known_set_has_its_own_layout_only(tmp_path: Path) -> None:
    write_market_set(tmp_path / "market")
    assert [
        layout_as(name, tmp_path / "market") for name in ("Market-1501", "DukeMTMC-reID", "mine", "MOT17", "VIPeR")
    ] == [
        "market1501",
        "dukemtmc-reid",
        "market1501",
        None,
        None,
    ]


def test_a_set_with_one_of_its_parts_is_laid_out(tmp_path: Path) -> None:
    write_market_set(tmp_path)
    for name in ("query", "bounding_box_test"):
        shutil.rmtree(tmp_path / name)
    assert is_laid_out(tmp_path, SETS["Market-1501"], "")
    assert layout_of(tmp_path) == "market1501"


def test_the_first_set_within_the_depth_is_found(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_market_set(tmp_path / name / "inner")
    assert find_set(tmp_path, "Market-1501", 2) == tmp_path / "a" / "inner"
    assert find_set(tmp_path, "Market-1501", 1) is None
    assert find_set(tmp_path, "MOT17", 3) is None
    assert find_set(tmp_path / "missing", "Market-1501", 3) is None


@pytest.mark.parametrize("name", [*SETS, *PUBLISHED])
def test_what_was_expected_is_named(name: str) -> None:
    names = (
        [path for part in ("train", "test") for path in SETS[name].reads(part, SETS[name].protocols[0])]
        if name in SETS
        else ["train/<sequence>"]
    )
    assert expected_layout(name).startswith(f"holds no {name} as published: expected ")
    assert all(path in expected_layout(name) for path in names)


def test_a_listing_is_short(tmp_path: Path) -> None:
    assert listing(tmp_path) == listing(tmp_path / "missing") == "nothing"
    for number in range(11):
        (tmp_path / f"{number:02d}").touch()
    assert listing(tmp_path) == "00, 01, 02, 03, 04, 05, 06, 07 and 3 more"
