"""Expectations tell level, place and remedy; findings become a report and a message."""

import pytest
from inspect_tables import TABLE, findings_of, positive_width

from reidops.errors import ReidopsError
from reidops.validation.expectations import Inspection, quiet_context, run_inspections
from reidops.validation.findings import ERROR, WARNING, Finding, make_report
from reidops.validation.gate import name_warnings, stop_on_errors


def test_a_finding_names_file_row_value_and_the_number_of_all_rows():
    (finding,) = findings_of(TABLE, [positive_width()])
    assert finding.places[0] == "a/gt.txt: line 2: width is -3"
    assert (len(finding.places), finding.count, finding.level) == (5, 6, ERROR)
    assert finding.told().splitlines()[-2:] == ["  … and 1 more", "  To do: Mend it."]


def test_what_is_met_is_no_finding():
    assert findings_of(TABLE.iloc[[0, 2]], [positive_width()]) == []


def test_a_message_can_name_further_columns():
    inspection = Inspection("people", TABLE, [positive_width()], also=("pid",))
    (finding,) = run_inspections([inspection], quiet_context())
    assert finding.places[0] == "a/gt.txt: row 2: width is -3, pid is 1"


def test_an_expectation_that_cannot_be_computed_is_a_finding_that_says_so():
    (finding,) = findings_of(TABLE.drop(columns="width"), [positive_width()])
    assert "width" in finding.places[0]
    assert finding.level == ERROR


def test_a_reason_and_a_level_stand_in_what_data_docs_show():
    assert positive_width(WARNING).description == "Width is above 0 px. Why: It is a size. (warning)"


def test_only_errors_stop(tmp_path):
    errors = findings_of(TABLE, [positive_width(ERROR)])
    warnings = findings_of(TABLE, [positive_width(WARNING)])
    stop_on_errors(warnings, tmp_path)
    with pytest.raises(ReidopsError) as raised:
        stop_on_errors(errors + warnings, tmp_path)
    assert "a/gt.txt: line 2" in str(raised.value)
    assert "Mend it." in str(raised.value)
    assert str(tmp_path / "index.html") in str(raised.value)


@pytest.mark.parametrize(("level", "passed"), [(ERROR, False), (WARNING, True)])
def test_the_report_passes_without_errors(level, passed):
    report = make_report([Finding(level, "s", "e", "b", "r", ("p",), 1)], {"num_crops": 3})
    assert report["passed"] is passed
    assert (len(report["errors"]), len(report["warnings"])) == (int(not passed), int(passed))


def test_many_warnings_are_named_by_the_first_three_and_the_number_of_the_others(tmp_path):
    warnings = [Finding(WARNING, f"suite {n}", "it is sound", "b", "r", ("p",), 1200) for n in range(5)]
    told = name_warnings([Finding(ERROR, "s", "e", "b", "r", ("p",), 1), *warnings], tmp_path)
    assert told.startswith("5 warnings (suite 0: expected that it is sound (1,200 not); suite 1: ")
    assert told.endswith(
        f"suite 2: expected that it is sound (1,200 not); 2 more); read them in {tmp_path / 'index.html'}"
    )


def test_findings_hold_texts_as_they_are_though_pages_hold_them_escaped():
    table = TABLE.assign(file="a&amp;b <i>/gt.txt")
    (finding,) = findings_of(table, [positive_width()])
    assert finding.places[0] == "a&amp;b <i>/gt.txt: line 2: width is -3"
