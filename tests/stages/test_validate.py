"""The stage `validate`: sound data pass with a report that never changes, faults stop and leave it readable."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from default_params import default_params
from mot_factory import write_mot_set

from reidops.errors import ReidopsError
from reidops.mot.sequences import read_sequence
from reidops.parts import Part, write_parts
from stages.validate import ValidateParams, validate

pytestmark = pytest.mark.slow

PARAMS = default_params(ValidateParams, min_people=2, min_crops_per_person=2, image_sample=2, contact_sheet_people=4)


@pytest.fixture
def data(tmp_path, root, monkeypatch) -> Path:
    """Return a data folder with three drawn sequences and the crops that fit them: TOY-01 trains, TOY-02 is tested and
    tracked.
    """
    monkeypatch.syspath_prepend(str(root / "tests" / "validation"))
    from crop_factory import write_crops

    raw = tmp_path / "raw"
    train = write_mot_set(raw / "TOY") / "train"
    parts = [
        Part(part, "TOY", "mot", train / name, name, read_sequence(train / name).scene, 1, 12)
        for part, name in (("train", "TOY-01"), ("test", "TOY-02"), ("track", "TOY-02"))
    ]
    write_parts([replace(part, scene=part.scene.removeprefix("TOY-")) for part in parts], raw)
    write_crops(tmp_path / "crops")
    return tmp_path


def run(data: Path, **changes: object) -> dict:
    """Run the stage and return its report, also where it stopped."""
    try:
        validate(data / "raw", data / "crops", data / "validation", replace(PARAMS, **changes))
    finally:
        report = json.loads((data / "validation" / "report.json").read_text())
    return report


def test_sound_data_pass_with_pages_and_pictures(data):
    report = run(data)
    assert (report["passed"], report["errors"], report["warnings"]) == (True, [], [])
    assert report["counts"]["num_annotations"] == 72
    written = {path.relative_to(data / "validation").as_posix() for path in (data / "validation").rglob("*")}
    assert {"index.html", "docs/index.html", "contact_sheet.jpg", "histograms.png", "near_duplicates.csv"} <= written


def test_everything_is_byte_identical_in_two_runs(data):
    run(data)
    first = {path: path.read_bytes() for path in (data / "validation").rglob("*") if path.is_file()}
    run(data)
    second = {path: path.read_bytes() for path in (data / "validation").rglob("*") if path.is_file()}
    assert first.keys() == second.keys()
    assert [path for path in first if first[path] != second[path]] == []


def test_an_error_stops_with_file_line_and_remedy_and_leaves_the_report(data):
    path = data / "raw" / "TOY" / "train" / "TOY-02" / "gt" / "gt.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[0]]) + "\n")
    with pytest.raises(ReidopsError) as raised:
        run(data)
    message = str(raised.value)
    assert f"{path}: line 37: " in message
    assert "To do:" in message
    report = json.loads((data / "validation" / "report.json").read_text())
    assert (report["passed"], len(report["errors"])) == (False, 1)
    assert (data / "validation" / "docs" / "index.html").is_file()
    assert "Stopped" in (data / "validation" / "index.html").read_text()


def test_several_faults_are_told_at_once(data):
    train = data / "raw" / "TOY" / "train"
    (train / "TOY-01" / "img1" / "000003.jpg").unlink()
    (train / "TOY-02" / "det" / "det.txt").write_text("")
    with pytest.raises(ReidopsError) as raised:
        run(data, min_people=9)
    for facts in ("000003.jpg", "det.txt: is empty", "train has at least 9 people"):
        assert facts in str(raised.value)


def test_a_tar_that_is_cut_stops_with_the_rows_and_still_draws_the_pictures(data):
    tar = data / "crops" / "crops.tar"
    tar.write_bytes(tar.read_bytes()[:40_000])
    with pytest.raises(ReidopsError) as raised:
        run(data)
    message = str(raised.value)
    assert f"{data / 'crops' / 'crops.parquet'}: row " in message
    assert "outside the tar" in message and "40000 bytes" in message
    assert "dvc repro -f convert" in message
    assert (data / "validation" / "contact_sheet.jpg").is_file()


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        (lambda crops: crops[crops["split"] != "gallery"], "a test set has a gallery"),
        (lambda crops: crops.assign(pid=-1), "has a known person (pid 0 or above)"),
        (lambda crops: crops[~crops["pid"].isin([1, 2])], "train has at least 2 people"),
    ],
)
def test_a_query_without_gallery_nobody_and_one_person_only_stop_with_what_to_do(data, change, facts):
    from reidops.tables import CROPS, read_table, write_table

    path = data / "crops" / "crops.parquet"
    write_table(change(read_table(path, CROPS)), path, CROPS)
    with pytest.raises(ReidopsError) as raised:
        run(data)
    assert facts in str(raised.value)
    assert "To do: " in str(raised.value)


def test_a_warning_passes_and_is_told(data):
    report = run(data, min_crops_per_person=50)
    assert (report["passed"], len(report["warnings"])) == (True, 1)


def test_the_closing_line_names_the_warnings_and_where_to_read_them(data, caplog):
    caplog.set_level("INFO", logger="stages.validate")
    run(data, min_crops_per_person=50)
    page = data / "validation" / "index.html"
    named = "1 warning (people: expected that a person of train or val has at least 50 crops (5 not))"
    assert f"no error, {named}" in caplog.messages[-1] and str(page) in caplog.messages[-1]


def test_the_closing_line_of_faultless_data_says_that_there_is_no_warning(data, caplog):
    caplog.set_level("INFO", logger="stages.validate")
    run(data)
    assert caplog.messages[-1] == "inspected 35 crops and 72 annotations: no error, no warning"


def test_missing_crops_are_told_before_anything_is_written(data):
    (data / "crops" / "crops.parquet").unlink()
    with pytest.raises(ReidopsError, match=r"crops\.parquet: no such file"):
        validate(data / "raw", data / "crops", data / "validation", PARAMS)
    assert not (data / "validation").exists()
