"""Run one suite on one table, for the beds of this room."""

import great_expectations.expectations as gxe
import pandas as pd

from reidops.validation.expectations import Inspection, expect, quiet_context, run_inspections
from reidops.validation.findings import ERROR, Finding

TABLE = pd.DataFrame({"file": ["a/gt.txt"] * 8, "row": range(1, 9), "pid": range(8), "width": [5.0, -3, 4, -1, -2, -4, -5, -6]})


def positive_width(level: str = ERROR) -> gxe.Expectation:
    """Return an expectation that six rows of `TABLE` do not meet."""
    return expect(
        gxe.ExpectColumnValuesToBeBetween, "width is above 0 px", because="It is a size.", remedy="Mend it.",
        level=level, column="width", min_value=0, strict_min=True,
    )  # fmt: skip


def findings_of(table: pd.DataFrame, suite: list, row_word: str = "line") -> list[Finding]:
    """Return what `suite` finds in `table`."""
    return run_inspections([Inspection("table", table, suite, row_word)], quiet_context())


def titles(findings: list[Finding]) -> set[str]:
    """Return which expectations were not met."""
    return {finding.expectation for finding in findings}


def says_of(suite: list) -> set[str]:
    """Return what every expectation of a suite says."""
    return {expectation.meta["says"] for expectation in suite}


def with_value(table: pd.DataFrame, row: int, **values: object) -> pd.DataFrame:
    """Return a copy of `table` with other values in one row."""
    changed = table.copy()
    for column, value in values.items():
        changed.loc[row, column] = value
    return changed
