"""Each expectation of the crops catches a planted fault, and sound crops have none."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from crop_factory import PARTS, write_crops, write_lists
from inspect_tables import says_of, with_value

from reidops.errors import ReidopsError
from reidops.tables import CROPS, write_table
from reidops.validation import crop_suites
from reidops.validation.expectations import quiet_context, run_inspections
from reidops.validation.findings import Finding
from reidops.validation.inspections import inspect_crops, inspect_sides, read_crops


@pytest.fixture
def folder(tmp_path) -> Path:
    write_crops(tmp_path / "crops")
    return tmp_path / "crops"


@pytest.fixture
def crops(folder) -> pd.DataFrame:
    return read_crops(folder)


def inspect(crops: pd.DataFrame, folder: Path, parts=PARTS, *, min_people=2, min_crops=3, crop_sample=-1, max_share=0.0) -> dict[str, Finding]:
    """Return what is found in the crops and on both sides of their split, by expectation."""
    inspected = inspect_crops(crops, folder, parts, crop_sample=crop_sample, min_people=min_people, min_crops_per_person=min_crops)
    sides = inspect_sides(crops, inspected, parts, Path("raw"), max_bits=3, max_share=max_share)
    findings = run_inspections([*inspected.inspections, *sides.inspections], quiet_context())
    return {finding.expectation: finding for finding in findings}


def test_sound_crops_have_no_finding(crops, folder):
    assert inspect(crops, folder) == {}


def test_an_empty_table_is_an_error_and_no_crash(crops, folder):
    found = inspect(crops.iloc[:0], folder)
    assert {"there are crops", "at least 2 people train", "a test set has a query"} <= set(found)


@pytest.mark.parametrize(
    ("says", "values"),
    [
        ("every path stands once", {"path": "imgs/TOY-01_000000/000000.jpg"}),
        ("split is train, val, query or gallery", {"split": "test"}),
        ("width is at least 1 px", {"width": 0}),
        ("height is at least 1 px", {"height": 0}),
        ("visibility lies in 0 … 1", {"visibility": -0.5}),
        ("a decoded crop has the width that the table states", {"width": 33}),
        ("a decoded crop has the height that the table states", {"height": 63}),
        ("a crop of train, val or query shows a known person (pid 0 or above)", {"pid": -1}),
        ("no crop of train or val comes from a frame that is tested or tracked", {"scene": "02"}),
    ],
)
def test_a_fault_of_a_crop_is_caught_at_its_row(crops, folder, says, values):
    finding = inspect(with_value(crops, 3, **values), folder)[says]
    assert any(f"{folder / 'crops.parquet'}: row 3: " in place for place in finding.places)
    assert (finding.level, bool(finding.remedy)) == ("error", True)


def test_every_expectation_of_the_crops_table_has_a_planted_fault():
    tested = {
        "every path stands once", "split is train, val, query or gallery", "width is at least 1 px", "height is at least 1 px",
        "visibility lies in 0 … 1", "no crop of train or val comes from a frame that is tested or tracked", "there are crops",
        "the table has the columns of the crops contract", "crops.tar holds this crop's JPEG where the table says",
    }  # fmt: skip
    assert says_of(crop_suites.crops_suite()) == tested


def test_a_column_that_the_contract_lacks_is_caught(crops, folder):
    assert "the table has the columns of the crops contract" in inspect(crops.drop(columns="track_id"), folder)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"offset": 10**9}, "outside the tar"),
        ({"offset": 512}, "the tar's member there is 'imgs/TOY-01_000000/000000.jpg'"),
        ({"size": 100}, "breaks off"),
        ({"path": "imgs/elsewhere.jpg"}, "the tar's member there is 'imgs/TOY-01_000000/000003.jpg'"),
    ],
)
def test_a_table_beside_another_tar_is_caught(crops, folder, values, fault):
    wrong = with_value(crops[list(CROPS.columns)], 3, **values)
    write_table(wrong, folder / "crops.parquet", CROPS)
    finding = inspect(read_crops(folder), folder)["crops.tar holds this crop's JPEG where the table says"]
    assert (finding.count, fault in finding.places[0], "row 3" in finding.places[0]) == (1, True, True)


def test_a_missing_tar_is_named(folder):
    (folder / "crops.tar").unlink()
    with pytest.raises(ReidopsError, match=r"crops\.tar: no such file"):
        read_crops(folder)


def test_a_person_with_one_crop_is_an_error_and_one_with_few_a_warning(crops, folder):
    few = crops[~((crops["pid"] == 0) & (crops["frame"] > 1)) & ~((crops["pid"] == 1) & (crops["frame"] > 3))]
    found = inspect(few, folder)
    error, warning = (found[f"a person of train or val has at least {n} crops"] for n in (2, 3))
    assert (error.level, error.count, "pid is 0" in error.places[0]) == ("error", 1, True)
    assert (warning.level, warning.count) == ("warning", 2)


def test_too_few_people_are_an_error(crops, folder):
    assert inspect(crops, folder, min_people=4)["at least 4 people train"].level == "error"


def test_nobody_held_out_is_a_warning(crops, folder):
    assert inspect(crops[crops["split"] != "val"], folder)["at least 2 people are held out (val)"].level == "warning"


@pytest.mark.parametrize(
    ("dropped", "says"),
    [
        ("query", "a test set has a query"),
        ("gallery", "a test set has a gallery"),
        ("gallery", "a query of a test set has a match"),
        ("gallery", "every query has a match in the gallery"),
    ],
)
def test_a_test_set_without_queries_or_gallery_is_an_error(crops, folder, dropped, says):
    assert inspect(crops[crops["split"] != dropped], folder)[says].level == "error"


def test_one_query_without_a_match_is_an_error_where_convert_chose_it(crops, folder):
    finding = inspect(crops[~((crops["pid"] == 6) & (crops["split"] == "gallery"))], folder)["every query has a match in the gallery"]
    assert (finding.count, "row 30" in finding.places[0], finding.level) == (1, True, "error")


def test_a_query_whose_matches_share_its_camera_is_a_warning_in_a_set_ranked_by_camera(crops, folder):
    parts = [PARTS[0], *(replace(part, layout="market1501") for part in PARTS[1:])]
    elsewhere = crops.assign(camid=crops["camid"].mask((crops["pid"] == 5) & (crops["split"] == "gallery"), 9))
    found = inspect(elsewhere, folder, parts)
    assert found["every query has a match in another camera"].level == "warning"
    assert found["every query has a match in another camera"].count == 1
    assert "a query of a test set has a match" not in found


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("000001/000002.jpg 1\n", "000001/000002.jpg 0\n", "a line's path is a crop, and its label stands for one person and no other"),
        ("000001/000002.jpg 1\n", "000001/999999.jpg 1\n", "a line's path is a crop, and its label stands for one person and no other"),
        ("000001/000002.jpg 1\n", "000001/000002.jpg one\n", "a line's path is a crop, and its label stands for one person and no other"),
        ("TOY-01_000001/000002.jpg 1\n", "TOY-01_000003/000002.jpg 3\n", "a file lists crops of its own split"),
        ("000001/000002.jpg 1\n", "000001/000001.jpg 1\n", "a file lists a crop once"),
        ("TOY-01_000001/000002.jpg 1\n", "", "a file lists every crop of its split"),
        (" 2\n", " 7\n", "labels leave no gap"),
        (" 0\n", " 9\n", "training labels start at 0"),
    ],
)
def test_a_fault_of_the_label_files_is_caught(crops, folder, old, new, says):
    path = folder / "meta" / "train_80.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    finding = inspect(crops, folder)[says]
    assert (finding.level, finding.places[0].startswith(str(path))) == ("error", True)


def test_a_person_in_train_and_val_is_a_leak(crops, folder):
    shared = with_value(crops, 3, split="val")
    finding = inspect(shared, folder)["a person stands on one side only: train, val or test (a video split by time apart)"]
    assert ("pid is 0" in finding.places[0], "in train and in val" in finding.places[0]) == (True, True)


def test_a_person_in_train_and_test_is_a_leak(crops, folder):
    shared = with_value(crops, 3, pid=5)
    finding = inspect(shared, folder)["a person stands on one side only: train, val or test (a video split by time apart)"]
    assert "in train and in query or gallery" in finding.places[0]


def test_a_person_may_stand_on_both_sides_of_a_video_that_is_split_by_time(crops, folder):
    halves = [replace(PARTS[0], last_frame=6), *(replace(p, sequence="TOY-01", scene="01", first_frame=7) for p in PARTS[1:])]
    people = crops[crops["pid"].isin([0, 1, 2]) & (crops["frame"] <= 6)]
    later = crops[crops["pid"].isin([0, 1, 2]) & (crops["frame"] > 6)]
    both = pd.concat([people, later.assign(split=later["frame"].map({7: "query", 9: "gallery"}))])
    write_lists(both, folder / "meta")
    assert set(inspect(both, folder, halves, max_share=1.0)) == {"at least 2 people are held out (val)"}


def test_a_video_whose_frames_train_and_are_tracked_is_a_leak_also_under_its_other_name(crops, folder):
    parts = [
        replace(PARTS[0], dataset="MOT16", sequence="MOT16-02", scene="02"),
        replace(PARTS[2], dataset="MOT17", sequence="MOT17-02-FRCNN", scene="02", first_frame=10),
    ]
    says = "a video that trains and is scored is split by time (half), without a shared frame"
    finding = inspect(crops, folder, parts)[says]
    assert finding.places[0] == "raw/parts.csv: row 0: frames 10 … 12 also in track (MOT17-02-FRCNN), sequence is MOT16-02"
    apart = [replace(parts[0], last_frame=9), parts[1]]
    assert says not in inspect(crops, folder, apart)


def test_a_crop_that_stands_on_both_sides_is_a_warning_that_names_both(crops, folder):
    copied = crops.copy()
    copied.loc[26, ["offset", "size"]] = crops.loc[3, ["offset", "size"]].to_numpy()
    finding = inspect(copied, folder)["at most 0.00% of the crops have a near-duplicate on another side of the split"]
    assert (finding.level, finding.count) == ("warning", 1)
    told = "row 26: imgs/TOY-02_000005/000001.jpg (test) looks like imgs/TOY-01_000000/"
    assert told in finding.places[0]
    assert inspect(copied, folder, max_share=0.1) == {}


def test_nothing_is_decoded_where_the_sample_is_zero(crops, folder):
    inspected = inspect_crops(crops, folder, PARTS, crop_sample=0, min_people=2, min_crops_per_person=2)
    assert inspected.counts["num_decoded_crops"] == 0
    assert inspect(with_value(crops, 3, width=33), folder, crop_sample=0) == {}
