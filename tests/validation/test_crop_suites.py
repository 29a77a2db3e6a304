"""Each expectation of the crops detects an injected fault, and valid crops have no finding."""

from dataclasses import replace

import pandas as pd
import pytest
from crop_factory import PARTS
from inspect_tables import finding_of, inspect, statements_of, with_value

from reidops.errors import ReidopsError
from reidops.parts import Part
from reidops.tables import CROPS, write_table
from reidops.validation import crop_suites
from reidops.validation.inspections import inspect_crops, read_crops

pytestmark = pytest.mark.slow

IN_TAR = "crops.tar holds the crop's whole picture, of the stated size, at the crop's offset"


def test_valid_crops_have_no_finding(crops, folder):
    assert inspect(crops, folder) == {}


def test_an_empty_table_is_an_error_and_does_not_crash(crops, folder):
    found = inspect(crops.iloc[:0], folder)
    assert {"the table has at least one crop", "train has at least 2 people", "a test set has a query"} <= set(found)


def test_without_a_set_that_trains_no_training_people_are_expected(crops, folder):
    tested = crops[crops["split"].isin(["query", "gallery"])].reset_index(drop=True)
    expected = "train has at least 2 people"
    assert expected in inspect(tested, folder)
    assert expected not in inspect(tested, folder, [part for part in PARTS if part.part != "train"])


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("every path is unique", {"path": "imgs/TOY-01_000000/000000.jpg"}),
        ("split is train, val, query or gallery", {"split": "test"}),
        ("width is at least 1 px", {"width": 0}),
        ("height is at least 1 px", {"height": 0}),
        ("visibility is between 0 and 1", {"visibility": -0.5}),
        ("the width of a decoded crop equals the width in the table", {"width": 33}),
        ("the height of a decoded crop equals the height in the table", {"height": 63}),
        ("a crop of train, val or query has a known person (pid 0 or above)", {"pid": -1}),
        ("no crop of train or val comes from a test or tracking frame", {"scene": "02"}),
    ],
)
def test_a_fault_of_a_crop_is_detected_in_its_row(crops, folder, statement, values):
    finding = finding_of(statement, with_value(crops, 3, **values), folder)
    assert any(f"{folder / 'crops.parquet'}: row 3: " in place for place in finding.places)
    assert (finding.level, bool(finding.remedy)) == ("error", True)


def test_every_expectation_of_the_crops_table_has_a_test():
    tested = {
        "every path is unique",
        "split is train, val, query or gallery",
        "width is at least 1 px",
        "height is at least 1 px",
        "visibility is between 0 and 1",
        "no crop of train or val comes from a test or tracking frame",
        "the table has at least one crop",
        "the table has the columns of the crops contract",
        IN_TAR,
        "a crop is at least 16 px high",
    }
    assert statements_of(crop_suites.crops_suite()) == tested


def test_a_missing_column_is_detected(crops, folder):
    statement = "the table has the columns of the crops contract"
    assert statement in inspect(crops.drop(columns="visibility"), folder, statement=statement)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"offset": 10**9}, "outside the tar"),
        ({"offset": 512}, "'imgs/TOY-01_000000/000000.jpg'"),
        ({"size": 100}, "after 100 bytes"),
        ({"width": 33}, "33 × 64"),
        ({"path": "imgs/elsewhere.jpg"}, "'imgs/TOY-01_000000/000003.jpg'"),
    ],
)
def test_a_table_of_another_tar_is_detected(crops, folder, values, fault):
    wrong = with_value(crops[list(CROPS.columns)], 3, **values)
    write_table(wrong, folder / "crops.parquet", CROPS)
    finding = finding_of(IN_TAR, read_crops(folder), folder)
    assert (finding.count, fault in finding.places[0], "row 3" in finding.places[0]) == (1, True, True)


def test_a_missing_tar_is_named(folder):
    (folder / "crops.tar").unlink()
    with pytest.raises(ReidopsError, match=r"crops\.tar: no such file"):
        read_crops(folder)


def test_a_person_with_one_crop_is_an_error_and_with_few_crops_a_warning(crops, folder):
    few = crops[~((crops["pid"] == 0) & (crops["frame"] > 1)) & ~((crops["pid"] == 1) & (crops["frame"] > 3))]
    found = inspect(few, folder)
    error, warning = (found[f"a person of train or val has at least {n} crops"] for n in (2, 3))
    assert (error.level, error.count, "pid is 0" in error.places[0]) == ("error", 1, True)
    assert (warning.level, warning.count) == ("warning", 2)


def test_a_low_crop_is_a_warning(crops, folder):
    finding = finding_of("a crop is at least 16 px high", with_value(crops, 3, height=9), folder)
    assert (finding.level, finding.count) == ("warning", 1)


def test_a_single_training_person_is_an_error_with_a_remedy(crops, folder):
    finding = finding_of("train has at least 2 people", crops[crops["pid"].isin([0, 3, 4, 5, 6])], folder)
    assert (finding.level, "validate.min_people" in finding.remedy) == ("error", True)
    assert finding.places == (f"{folder / 'crops.parquet'}: num_people is 1",)


def test_crops_of_distractors_only_are_an_error(crops, folder):
    found = inspect(crops.assign(pid=-1), folder)
    assert {"train has at least 2 people", "a crop of train, val or query has a known person (pid 0 or above)"} <= set(
        found
    )
    assert found["at least one query of a test set has a match"].level == "error"


def test_a_jpeg_that_is_damaged_in_its_middle_is_detected_by_decoding(crops, folder):
    place = int(crops.loc[3, "offset"] + crops.loc[3, "size"] * 2 // 3)
    with open(folder / "crops.tar", "r+b") as tar:
        tar.seek(place)
        tar.write(b"\xff\xd0" * 30)
    assert inspect(read_crops(folder), folder, crop_sample=0) == {}
    finding = finding_of("a crop decodes without an error or a warning of the decoder", read_crops(folder), folder)
    assert (finding.level, finding.count, "row 3: " in finding.places[0]) == ("error", 1, True)


def test_the_missing_crops_of_a_truncated_tar_are_reported(crops, folder):
    tar = folder / "crops.tar"
    with open(tar, "r+b") as stream:
        stream.truncate(int(crops.loc[30, "offset"]) + 10)
    finding = finding_of(IN_TAR, read_crops(folder), folder)
    assert (
        finding.level,
        finding.count,
        "row 30: " in finding.places[0],
        "outside the tar" in finding.places[0],
    ) == ("error", 5, True, True)


def test_zeroed_bytes_in_the_tar_are_detected_without_decoding(crops, folder):
    with open(folder / "crops.tar", "r+b") as stream:
        stream.seek(int(crops.loc[3, "offset"]))
        stream.write(bytes(int(crops.loc[3, "size"])))
    assert "is not a JPEG, PNG or BMP" in finding_of(IN_TAR, read_crops(folder), folder, crop_sample=0).places[0]


def test_too_few_people_are_an_error(crops, folder):
    assert finding_of("train has at least 4 people", crops, folder, min_people=4).level == "error"


def test_an_empty_val_split_is_a_warning(crops, folder):
    assert finding_of("val has at least 2 people", crops[crops["split"] != "val"], folder).level == "warning"


@pytest.mark.parametrize(
    ("dropped", "statement"),
    [
        ("query", "a test set has a query"),
        ("gallery", "a test set has a gallery"),
        ("gallery", "at least one query of a test set has a match"),
        ("gallery", "every query has a match in the gallery"),
    ],
)
def test_a_test_set_without_queries_or_gallery_is_an_error(crops, folder, dropped, statement):
    assert finding_of(statement, crops[crops["split"] != dropped], folder).level == "error"


def test_a_query_without_a_match_is_an_error_if_convert_chose_it(crops, folder):
    finding = finding_of(
        "every query has a match in the gallery", crops[~((crops["pid"] == 6) & (crops["split"] == "gallery"))], folder
    )
    assert (finding.count, "row 30" in finding.places[0], finding.level) == (1, True, "error")


MATCH = "every published query has a match (in another camera if the set has several)"


def published_crops(crops: pd.DataFrame) -> tuple[pd.DataFrame, list[Part]]:
    """Return the crops and parts of a test set in a ReID layout, with queries of camera 2 and a gallery of camera 3."""
    gallery = crops["split"] == "gallery"
    return crops.assign(camid=crops["camid"].mask(gallery, 3)), [
        PARTS[0],
        replace(PARTS[1], layout="folders", sequence=""),
    ]


def test_published_queries_with_matches_in_another_camera_have_no_finding(crops, folder):
    assert inspect(*published_crops(crops)[:1], folder, published_crops(crops)[1]) == {}


def test_a_published_query_whose_matches_share_its_camera_is_a_warning(crops, folder):
    elsewhere, parts = published_crops(crops)
    third = elsewhere[elsewhere["pid"] == 5].assign(
        pid=7, path=lambda rows: rows["path"].str.replace("000005", "000007")
    )
    three = pd.concat([elsewhere, third], ignore_index=True)
    same_camera = three.assign(camid=three["camid"].mask(three["pid"] == 6, 2))
    found = inspect(same_camera, folder, parts, max_share=1.0)
    assert (found[MATCH].level, found[MATCH].count, "row 30" in found[MATCH].places[0]) == ("warning", 1, True)
    assert "at least one query of a test set has a match" not in found


def test_a_published_set_of_one_camera_is_ranked_without_the_camera_rule(crops, folder):
    _, parts = published_crops(crops)
    assert inspect(crops, folder, parts) == {}


def test_a_query_from_the_frame_of_a_gallery_crop_is_an_error(crops, folder):
    finding = finding_of(
        "no gallery crop shows the query's person in the query's own frame", with_value(crops, 26, frame=1), folder
    )
    assert (finding.level, finding.count, "row 25" in finding.places[0]) == ("error", 1, True)


def test_nothing_is_decoded_if_the_sample_is_zero(crops, folder):
    inspected = inspect_crops(crops, folder, PARTS, crop_sample=0, min_people=2, min_crops_per_person=2)
    assert inspected.counts["num_decoded_crops"] == 0
    assert inspect(with_value(crops, 3, width=33), folder, crop_sample=0) == {}
