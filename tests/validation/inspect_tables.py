"""Run one suite on one table, or all suites on synthetic crops, for the tests of this folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import great_expectations.expectations as gxe
import pandas as pd
from crop_factory import PARTS

from reidops.validation.expectations import Inspection, expect, quiet_context, run_inspections
from reidops.validation.findings import ERROR, Finding
from reidops.validation.inspections import inspect_crops, inspect_sides

TABLE = pd.DataFrame(
    {"file": ["a/gt.txt"] * 8, "row": range(1, 9), "pid": range(8), "width": [5.0, -3, 4, -1, -2, -4, -5, -6]}
)


def positive_width(level: str = ERROR) -> gxe.Expectation:
    """Return an expectation that fails for six rows of `TABLE`."""
    return expect(
        gxe.ExpectColumnValuesToBeBetween,
        "width is above 0 px",
        because="It is a size.",
        remedy="Correct it.",
        level=level,
        column="width",
        min_value=0,
        strict_min=True,
    )


def findings_of(table: pd.DataFrame, suite: list, row_word: str = "line") -> list[Finding]:
    """Return the findings of `suite` in `table`."""
    return run_inspections([Inspection("table", table, suite, row_word)], quiet_context())


def titles(findings: list[Finding]) -> set[str]:
    """Return the statements of the expectations that were not met."""
    return {finding.expectation for finding in findings}


def statements_of(suite: list) -> set[str]:
    """Return the statements of all expectations of a suite."""
    return {expectation.meta["statement"] for expectation in suite}


def only(suite: Sequence[gxe.Expectation], statement: str) -> list[gxe.Expectation]:
    """Return the expectations of a suite with this statement; they run in a fraction of the suite's time."""
    return [expectation for expectation in suite if expectation.meta["statement"] == statement]


def with_value(table: pd.DataFrame, row: int, **values: object) -> pd.DataFrame:
    """Return a copy of `table` with other values in one row."""
    changed = table.copy()
    for column, value in values.items():
        changed.loc[row, column] = value
    return changed


def inspect(
    crops: pd.DataFrame,
    folder: Path,
    parts=PARTS,
    *,
    statement: str | None = None,
    min_people=2,
    min_crops=3,
    crop_sample=-1,
    max_share=0.0,
) -> dict[str, Finding]:
    """Return the findings in the crops and between the sides of their split, by expectation.

    `statement` limits them to the expectations with this statement, which takes a fraction of the time.
    """
    inspected = inspect_crops(
        crops, folder, parts, crop_sample=crop_sample, min_people=min_people, min_crops_per_person=min_crops
    )
    sides = inspect_sides(crops, inspected, parts, Path("raw"), max_bits=3, max_share=max_share)
    inspections = [*inspected.inspections, *sides.inspections]
    if statement is not None:
        limited = [replace(one, expectations=only(one.expectations, statement)) for one in inspections]
        inspections = [inspection for inspection in limited if inspection.expectations]
    findings = run_inspections(inspections, quiet_context())
    return {finding.expectation: finding for finding in findings}


def finding_of(statement: str, crops: pd.DataFrame, folder: Path, *args: object, **kwargs: object) -> Finding:
    """Return the finding of the one expectation with this statement; the arguments are those of `inspect`."""
    return inspect(crops, folder, *args, statement=statement, **kwargs)[statement]
