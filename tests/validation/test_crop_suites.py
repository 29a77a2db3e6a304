"""Each expectation of the crops catches a planted fault, and sound crops have none."""

from dataclasses import replace

import pandas as pd
import pytest
from crop_factory import PARTS
from inspect_tables import finding_of, inspect, says_of, with_value

from reidops.errors import ReidopsError
from reidops.parts import Part
from reidops.tables import CROPS, write_table
from reidops.validation import crop_suites
from reidops.validation.inspections import inspect_crops, read_crops

pytestmark = pytest.mark.slow

IN_TAR = "crops.tar holds this crop's picture, whole and of the stated size, where the table says"


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
    finding = finding_of(says, with_value(crops, 3, **values), folder)
    assert any(f"{folder / 'crops.parquet'}: row 3: " in place for place in finding.places)
    assert (finding.level, bool(finding.remedy)) == ("error", True)


def test_every_expectation_of_the_crops_table_has_a_planted_fault():
    tested = {
        "every path stands once",
        "split is train, val, query or gallery",
        "width is at least 1 px",
        "height is at least 1 px",
        "visibility lies in 0 … 1",
        "no crop of train or val comes from a frame that is tested or tracked",
        "there are crops",
        "the table has the columns of the crops contract",
        IN_TAR,
        "a crop is at least 16 px high",
    }
    assert says_of(crop_suites.crops_suite()) == tested


def test_a_column_that_the_contract_lacks_is_caught(crops, folder):
    says = "the table has the columns of the crops contract"
    assert says in inspect(crops.drop(columns="visibility"), folder, says=says)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"offset": 10**9}, "outside the tar"),
        ({"offset": 512}, "the tar's member there is 'imgs/TOY-01_000000/000000.jpg'"),
        ({"size": 100}, "is cut off after 100 bytes"),
        ({"width": 33}, "the picture has 32 × 64 px, the table says 33 × 64"),
        ({"path": "imgs/elsewhere.jpg"}, "the tar's member there is 'imgs/TOY-01_000000/000003.jpg'"),
    ],
)
def test_a_table_beside_another_tar_is_caught(crops, folder, values, fault):
    wrong = with_value(crops[list(CROPS.columns)], 3, **values)
    write_table(wrong, folder / "crops.parquet", CROPS)
    finding = finding_of(IN_TAR, read_crops(folder), folder)
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


def test_a_crop_of_few_rows_is_a_warning(crops, folder):
    finding = finding_of("a crop is at least 16 px high", with_value(crops, 3, height=9), folder)
    assert (finding.level, finding.count) == ("warning", 1)


def test_one_person_only_is_an_error_that_says_what_to_do(crops, folder):
    finding = finding_of("at least 2 people train", crops[crops["pid"].isin([0, 3, 4, 5, 6])], folder)
    assert (finding.level, finding.remedy) == (
        "error",
        "Add train parts, loosen convert's filters, or lower validate.min_people.",
    )
    assert finding.places == (f"{folder / 'crops.parquet'}: num_people is 1",)


def test_distractors_only_are_an_error(crops, folder):
    found = inspect(crops.assign(pid=-1), folder)
    assert {"at least 2 people train", "a crop of train, val or query shows a known person (pid 0 or above)"} <= set(
        found
    )
    assert found["a query of a test set has a match"].level == "error"


def test_a_jpeg_that_is_damaged_in_its_middle_is_found_when_it_is_decoded(crops, folder):
    place = int(crops.loc[3, "offset"] + crops.loc[3, "size"] * 2 // 3)
    with open(folder / "crops.tar", "r+b") as tar:
        tar.seek(place)
        tar.write(b"\xff\xd0" * 30)
    assert inspect(read_crops(folder), folder, crop_sample=0) == {}
    finding = finding_of("a crop can be decoded whole, without a complaint of the decoder", read_crops(folder), folder)
    assert (finding.level, finding.count, "row 3: " in finding.places[0]) == ("error", 1, True)


def test_a_tar_that_is_cut_names_the_crops_behind_the_cut(crops, folder):
    tar = folder / "crops.tar"
    with open(tar, "r+b") as stream:
        stream.truncate(int(crops.loc[30, "offset"]) + 10)
    finding = finding_of(IN_TAR, read_crops(folder), folder)
    assert (
        finding.level,
        finding.count,
        "row 30: " in finding.places[0],
        "lie outside the tar" in finding.places[0],
    ) == ("error", 5, True, True)


def test_a_tar_whose_bytes_are_zeroed_is_found_without_decoding(crops, folder):
    with open(folder / "crops.tar", "r+b") as stream:
        stream.seek(int(crops.loc[3, "offset"]))
        stream.write(bytes(int(crops.loc[3, "size"])))
    assert "is no JPEG, PNG or BMP" in finding_of(IN_TAR, read_crops(folder), folder, crop_sample=0).places[0]


def test_too_few_people_are_an_error(crops, folder):
    assert finding_of("at least 4 people train", crops, folder, min_people=4).level == "error"


def test_nobody_held_out_is_a_warning(crops, folder):
    assert finding_of("at least 2 people are held out (val)", crops[crops["split"] != "val"], folder).level == "warning"


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
    assert finding_of(says, crops[crops["split"] != dropped], folder).level == "error"


def test_one_query_without_a_match_is_an_error_where_convert_chose_it(crops, folder):
    finding = finding_of(
        "every query has a match in the gallery", crops[~((crops["pid"] == 6) & (crops["split"] == "gallery"))], folder
    )
    assert (finding.count, "row 30" in finding.places[0], finding.level) == (1, True, "error")


MATCH = "every published query has a match, in another camera where the set has several"


def published_crops(crops: pd.DataFrame) -> tuple[pd.DataFrame, list[Part]]:
    """Return the crops and parts of a test set in a ReID set's layout, whose queries are seen by camera 2 and others by
    3.
    """
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
    assert "a query of a test set has a match" not in found


def test_a_published_set_of_one_camera_is_ranked_without_the_camera_rule(crops, folder):
    _, parts = published_crops(crops)
    assert inspect(crops, folder, parts) == {}


def test_a_query_from_the_very_frame_of_a_gallery_crop_is_an_error(crops, folder):
    finding = finding_of(
        "no query has a gallery crop of its person from its own frame", with_value(crops, 26, frame=1), folder
    )
    assert (finding.level, finding.count, "row 25" in finding.places[0]) == ("error", 1, True)


def test_nothing_is_decoded_where_the_sample_is_zero(crops, folder):
    inspected = inspect_crops(crops, folder, PARTS, crop_sample=0, min_people=2, min_crops_per_person=2)
    assert inspected.counts["num_decoded_crops"] == 0
    assert inspect(with_value(crops, 3, width=33), folder, crop_sample=0) == {}
