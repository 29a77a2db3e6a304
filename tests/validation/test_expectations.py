"""Findings have a level, places and a remedy; a report and a message are made from them."""

import pytest
from inspect_tables import TABLE, findings_of, positive_width

from reidops.errors import ReidopsError
from reidops.validation.expectations import Inspection, quiet_context, run_inspections
from reidops.validation.findings import ERROR, WARNING, Finding, make_report
from reidops.validation.gate import name_warnings, stop_on_errors

pytestmark = pytest.mark.slow


def test_a_finding_has_file_row_value_and_the_number_of_failing_rows():
    (finding,) = findings_of(TABLE, [positive_width()])
    assert finding.places[0] == "a/gt.txt: line 2: width is -3"
    assert (len(finding.places), finding.count, finding.level) == (5, 6, ERROR)
    assert finding.message().splitlines()[-2:] == ["  … and 1 more", "  To do: Correct it."]


def test_a_met_expectation_has_no_finding():
    assert findings_of(TABLE.iloc[[0, 2]], [positive_width()]) == []


def test_a_message_can_show_further_columns():
    inspection = Inspection("people", TABLE, [positive_width()], also=("pid",))
    (finding,) = run_inspections([inspection], quiet_context())
    assert finding.places[0] == "a/gt.txt: row 2: width is -3, pid is 1"


def test_an_expectation_that_cannot_be_computed_is_an_error():
    (finding,) = findings_of(TABLE.drop(columns="width"), [positive_width()])
    assert "width" in finding.places[0]
    assert finding.level == ERROR


def test_the_description_in_data_docs_has_reason_and_level():
    assert positive_width(WARNING).description == "Width is above 0 px. Why: It is a size. (warning)"


def test_only_errors_stop(tmp_path):
    errors = findings_of(TABLE, [positive_width(ERROR)])
    warnings = findings_of(TABLE, [positive_width(WARNING)])
    stop_on_errors(warnings, tmp_path)
    with pytest.raises(ReidopsError) as raised:
        stop_on_errors(errors + warnings, tmp_path)
    assert "a/gt.txt: line 2" in str(raised.value)
    assert "Correct it." in str(raised.value)
    assert str(tmp_path / "index.html") in str(raised.value)


@pytest.mark.parametrize(("level", "passed"), [(ERROR, False), (WARNING, True)])
def test_the_report_passes_without_errors(level, passed):
    report = make_report([Finding(level, "s", "e", "b", "r", ("p",), 1)], {"num_crops": 3})
    assert report["passed"] is passed
    assert (len(report["errors"]), len(report["warnings"])) == (int(not passed), int(passed))


def test_the_closing_line_lists_three_warnings_and_counts_the_others(tmp_path):
    warnings = [Finding(WARNING, f"suite {n}", "it is valid", "b", "r", ("p",), 1200) for n in range(5)]
    line = name_warnings([Finding(ERROR, "s", "e", "b", "r", ("p",), 1), *warnings], tmp_path)
    assert line.startswith("5 warnings (suite 0: ")
    assert all(fact in line for fact in ("suite 2: ", "1,200", "2 more", str(tmp_path / "index.html")))
    assert "suite 3" not in line


def test_findings_hold_unescaped_texts():
    table = TABLE.assign(file="a&amp;b <i>/gt.txt")
    (finding,) = findings_of(table, [positive_width()])
    assert finding.places[0] == "a&amp;b <i>/gt.txt: line 2: width is -3"
