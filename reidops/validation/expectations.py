"""Build Great Expectations' expectations with a reason, a level and a remedy; run them and report the failing rows."""

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import ProgressBarsConfig

from reidops.validation.findings import ERROR, NUM_PLACES, WARNING, Finding

# Great Expectations stamps each run with a time; a fixed one keeps the Data Docs equal for equal data.
RUN_ID = RunIdentifier(run_name="validation", run_time=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
PLACE_COLUMNS = ["file", "row"]
_TEXT_COLUMNS = ("leak", "divided", "more", "fewer")  # columns whose values describe the fault
_SEVERITY = {ERROR: "critical", WARNING: "warning"}
Suite = list[gxe.Expectation]


@dataclass(frozen=True)
class Inspection:
    """A table, its expectations, and how messages refer to its rows.

    The columns `file` and `row` of the table give the place of each row in the user's files. `row_word` precedes the
    row's number in a message; "" if the file alone is the place. `also` lists further columns that messages show
    (pid, sequence).
    """

    name: str
    table: pd.DataFrame
    expectations: Sequence[gxe.Expectation] = field(repr=False)
    row_word: str = "row"
    also: tuple[str, ...] = ()


def expect(
    kind: type[gxe.Expectation],
    statement: str,
    *,
    because: str,
    remedy: str,
    level: str = ERROR,
    **arguments: Any,
) -> gxe.Expectation:
    """Return an expectation of this kind with its statement, reason and remedy, as Data Docs show them.

    Args:
        statement: completes "expected that …". Data Docs show it as a sentence.
        because: the reason for the expectation, a sentence.
        remedy: what the user should do if it is not met, a sentence.
        arguments: arguments of the Great Expectations class: column, min_value, ….
    """
    return kind(
        description=f"{statement[0].upper()}{statement[1:]}. Why: {because} ({level})",
        notes=f"To do: {remedy}",
        meta={"statement": statement, "because": because, "remedy": remedy, "level": level},
        severity=_SEVERITY[level],
        **arguments,
    )


def expect_in(column: str, values: list[Any], statement: str, **details: Any) -> gxe.Expectation:
    """Return the expectation that every value of the column is one of `values`; `details` as for `expect`."""
    return expect(gxe.ExpectColumnValuesToBeInSet, statement, column=column, value_set=values, **details)


def expect_between(column: str, statement: str, **details: Any) -> gxe.Expectation:
    """Return the expectation that every value of the column is in min_value … max_value; `details` as for `expect`."""
    return expect(gxe.ExpectColumnValuesToBeBetween, statement, column=column, **details)


def expect_equal(column: str, other: str, statement: str, **details: Any) -> gxe.Expectation:
    """Return the expectation that two columns are equal in every row that has both; `details` as for `expect`."""
    missing = {"ignore_row_if": "either_value_is_missing"}
    return expect(gxe.ExpectColumnPairValuesToBeEqual, statement, column_A=column, column_B=other, **missing, **details)


def quiet_context() -> gx.data_context.EphemeralDataContext:
    """Return a context in memory without progress bars, analytics or a Data Docs site."""
    # The second logger has its own level, so setting the parent's level is not enough.
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    return context


def run_inspections(inspections: Sequence[Inspection], context: gx.data_context.EphemeralDataContext) -> list[Finding]:
    """Return the findings of all tables, in order; the context keeps the results for the Data Docs.

    Great Expectations does not escape values in its pages. Therefore it gets texts that are escaped for HTML; the
    findings hold the original texts.
    """
    source = context.data_sources.add_pandas("reidops")
    findings = []
    for inspection in inspections:
        batch = source.add_dataframe_asset(inspection.name).add_batch_definition_whole_dataframe("whole table")
        suite = context.suites.add(gx.ExpectationSuite(inspection.name, expectations=list(inspection.expectations)))
        definition = gx.ValidationDefinition(name=inspection.name, data=batch, suite=suite)
        result = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": _escaped(inspection.table)},
            result_format=_result_format(inspection),
            run_id=RUN_ID,
        )
        findings += [_finding(outcome, inspection) for outcome in result.results if not outcome.success]
    return findings


def _escaped(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its texts escaped for HTML; the mapping is one-to-one."""
    texts = {name: column for name, column in table.items() if not pd.api.types.is_numeric_dtype(column)}
    return table.assign(**{name: _escaped_column(column) for name, column in texts.items()})


def _escaped_column(column: pd.Series) -> pd.Series:
    changed = {
        value: escaped for value in column.unique() if isinstance(value, str) and (escaped := escape(value)) != value
    }
    return column.replace(changed) if changed else column


def _result_format(inspection: Inspection) -> dict[str, Any]:
    columns = [*PLACE_COLUMNS, *inspection.also]
    return {
        "result_format": "SUMMARY",
        "partial_unexpected_count": NUM_PLACES,
        "unexpected_index_column_names": columns,
    }


def _finding(outcome: gx.core.ExpectationValidationResult, inspection: Inspection) -> Finding:
    meta = outcome.expectation_config.meta
    places = [_place(row, inspection) for row in outcome.result.get("partial_unexpected_index_list") or []]
    return Finding(
        level=meta["level"],
        suite=inspection.name,
        expectation=meta["statement"],
        because=meta["because"],
        remedy=meta["remedy"],
        places=tuple(places) or (_observed(outcome, inspection),),
        count=int(outcome.result.get("unexpected_count") or 1),
    )


def _place(row: dict[str, Any], inspection: Inspection) -> str:
    """Return "file: line 17: width is -3" for one entry of Great Expectations' list of unexpected rows."""
    number = f"{inspection.row_word} {row['row']}" if inspection.row_word else ""
    values = ", ".join(_describe(name, value) for name, value in row.items() if name not in PLACE_COLUMNS)
    return ": ".join(text for text in (_format(row["file"]), number, values) if text)


def _observed(outcome: gx.core.ExpectationValidationResult, inspection: Inspection) -> str:
    files = sorted(set(inspection.table["file"])) if "file" in inspection.table else []
    where = files[0] if len(files) == 1 else inspection.name
    fault = _exception(outcome.exception_info)
    return f"{where}: {fault or 'found ' + _format(outcome.result.get('observed_value'))}"


def _exception(info: dict[str, Any] | None) -> str:
    """Return the error message of an expectation that could not be computed (missing column, wrong type)."""
    entries = [info] if info and "exception_message" in info else list((info or {}).values())
    messages = [
        str(entry["exception_message"])
        for entry in entries
        if isinstance(entry, dict) and entry.get("exception_message")
    ]
    return unescape(messages[0]) if messages else ""


def _describe(column: str, value: Any) -> str:
    """Return "width is -3", or only the value for columns whose values describe a fault."""
    return _format(value) if column in _TEXT_COLUMNS or column.endswith("fault") else f"{column} is {_format(value)}"


def _format(value: Any) -> str:
    """Return a value of Great Expectations' result as text, without the escapes for HTML."""
    if isinstance(value, float):
        return f"{value:g}"
    return unescape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
