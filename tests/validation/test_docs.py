"""Data Docs work offline, and the validation page shows the findings."""

import errno
import os
import re

import pytest
from crop_factory import write_crops
from great_expectations.data_context.store.tuple_store_backend import TupleFilesystemStoreBackend
from inspect_tables import TABLE, findings_of, positive_width

from reidops.validation import docs
from reidops.validation.contact_sheet import choose_people, draw_contact_sheet
from reidops.validation.crop_tables import people_table
from reidops.validation.expectations import Inspection, quiet_context, run_inspections
from reidops.validation.findings import make_report
from reidops.validation.histograms import draw_histograms
from reidops.validation.inspections import read_crops
from reidops.validation.page import make_page

pytestmark = pytest.mark.slow

SUITES = [{"name": "boxes of <people>", "rows": 8, "expectations": 1, "met": 0, "page": "docs/validations/a b.html"}]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    context = quiet_context()
    run_inspections([Inspection("boxes", TABLE, [positive_width()])], context)
    docs.write_data_docs(context, folder)
    docs.make_self_contained(folder, SUITES)
    return folder


def test_a_page_that_cannot_be_written_is_an_error_and_not_a_missing_page(tmp_path, monkeypatch, caplog):
    context = quiet_context()
    run_inspections([Inspection("boxes", TABLE, [positive_width()])], context)
    write = TupleFilesystemStoreBackend._set

    def write_until_full(store, key, value, *arguments, **options):
        if "validation" in key:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(store, key, value, *arguments, **options)

    monkeypatch.setattr(TupleFilesystemStoreBackend, "_set", write_until_full)
    with pytest.raises(OSError, match="No space left on device"):
        docs.write_data_docs(context, tmp_path)
    assert "Traceback" not in caplog.text


def test_no_page_loads_anything_from_another_host(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) == 3
    for page in pages:
        assert not re.search(r"<(script|link|img)\b|url\(", page.read_text()), page


def test_every_expectation_is_shown_with_its_reason(site):
    text = docs.result_pages(site)["boxes"].read_text()
    assert "Width is above 0 px. Why: It is a size. (error)" in text
    assert "Correct it." in (site / "expectations" / "boxes.html").read_text()


def test_the_index_links_to_every_suite_and_escapes_its_name(site):
    text = (site / "index.html").read_text()
    assert 'href="validations/a%20b.html"' in text
    assert "boxes of &lt;people&gt;" in text


def test_the_links_of_a_page_lead_to_files(site):
    for page in site.rglob("*/**/*.html"):
        for link in re.findall(r'href="([^"#]+)"', page.read_text()):
            assert (page.parent / link).is_file(), (page, link)


@pytest.fixture
def crops(tmp_path):
    write_crops(tmp_path)
    return read_crops(tmp_path)


def test_the_sheet_shows_people_of_every_side(crops):
    assert choose_people(crops, 3) == [(0, "train", "TOY"), (3, "val", "TOY"), (5, "test", "TOY")]
    assert len(choose_people(crops, 100)) == 7


def test_a_small_data_set_is_on_the_sheet(crops):
    joined = crops.assign(dataset=crops["dataset"].mask(crops["pid"] == 2, "OTHER"))
    assert (2, "train", "OTHER") in choose_people(joined, 4)


def test_a_query_is_framed_on_the_sheet(crops, tmp_path):
    orange = (180, 83, 9)
    with_query = dict(
        (colour, count)
        for count, colour in draw_contact_sheet(crops, tmp_path / "crops.tar", 7).getcolors(maxcolors=1_000_000)
    )
    without = crops[crops["split"] != "query"]
    colours = dict(
        (colour, count)
        for count, colour in draw_contact_sheet(without, tmp_path / "crops.tar", 7).getcolors(maxcolors=1_000_000)
    )
    assert with_query[orange] - colours[orange] > 2 * 2 * (56 + 112)  # two people, each with two edges of 2 px at least


def test_a_crop_that_cannot_be_decoded_is_left_out_of_the_sheet(crops, tmp_path):
    with open(tmp_path / "crops.tar", "r+b") as stream:
        stream.seek(int(crops.loc[0, "offset"]) + 20)
        stream.write(bytes(200))
    assert draw_contact_sheet(crops, tmp_path / "crops.tar", 7).size[0] > 0


def test_a_sheet_without_crops_is_empty(crops, tmp_path):
    assert draw_contact_sheet(crops.iloc[:0], tmp_path / "crops.tar", 4).size[0] > 0


def test_the_sheet_shows_the_colours_of_the_crops(crops, tmp_path):
    sheet = draw_contact_sheet(crops, tmp_path / "crops.tar", 7)
    assert len(sheet.getcolors(maxcolors=1_000_000)) > 1000


@pytest.mark.parametrize("level", ["error", "warning"])
def test_the_page_shows_findings_counts_and_pictures(crops, tmp_path, level):
    draw_contact_sheet(crops, tmp_path / "crops.tar", 4).save(tmp_path / "contact_sheet.jpg")
    draw_histograms(crops, people_table(crops), tmp_path / "histograms.png")
    counts = {"num_crops": 35, "num_annotations": 1234, "num_sequences": 2}
    page = make_page(make_report(findings_of(TABLE, [positive_width(level)]), counts), SUITES, tmp_path)
    assert ("Stopped" in page, "Passed" in page) == (level == "error", level == "warning")
    assert "a/gt.txt: line 2: width is -3" in page
    assert "1,234" in page
    assert page.count("data:image/") == 2
    assert "http" not in page
