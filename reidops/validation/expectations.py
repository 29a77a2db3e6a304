"""Great Expectations' expectations with the reason they exist, a level and a remedy; run them, and name the rows at
fault.
"""

import datetime
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import ProgressBarsConfig

from reidops.validation.findings import ERROR, NUM_PLACES, WARNING, Finding

# Great Expectations stamps each run with a time; a fixed one keeps the Data Docs equal for equal data.
RUN_ID = RunIdentifier(run_name="validation", run_time=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
PLACE_COLUMNS = ["file", "row"]
_SELF_EXPLAINING = ("leak", "divided", "more", "fewer")  # columns of text that tells what is wrong
_SEVERITY = {ERROR: "critical", WARNING: "warning"}


@dataclass(frozen=True)
class Inspection:
    """A table, what is expected of it, and how its rows are called.

    The table has the columns `file` and `row`, which name the place of each of its rows in what the user gave.
    `row_word` stands before the row's number in a message; "" where the file alone is the place. `also` are columns
    whose values help to find the row (pid, sequence).
    """

    name: str
    table: pd.DataFrame
    expectations: Sequence[gx.expectations.Expectation] = field(repr=False)
    row_word: str = "row"
    also: tuple[str, ...] = ()


def expect(
    kind: type[gx.expectations.Expectation],
    says: str,
    *,
    because: str,
    remedy: str,
    level: str = ERROR,
    **arguments: Any,
) -> gx.expectations.Expectation:
    """Return an expectation of this kind that tells in Data Docs what it says and why it exists.

    Args:
        says: completes "expected that …", and stands as a sentence in Data Docs.
        because: the reason it exists, a sentence.
        remedy: what the user does about it, a sentence.
        arguments: what Great Expectations takes: column, min_value, ….
    """
    return kind(
        description=f"{says[0].upper()}{says[1:]}. Why: {because} ({level})",
        notes=f"To do: {remedy}",
        meta={"says": says, "because": because, "remedy": remedy, "level": level},
        severity=_SEVERITY[level],
        **arguments,
    )


def quiet_context() -> gx.data_context.EphemeralDataContext:
    """Return a context in memory without progress bars, analytics or a Data Docs site."""
    # the latter sets a level of its own
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    return context


def run_inspections(inspections: Sequence[Inspection], context: gx.data_context.EphemeralDataContext) -> list[Finding]:
    """Return what every table's suite found, in order; the context keeps the results for the Data Docs.

    Great Expectations writes values into its pages as they are. So it is given texts that are escaped for HTML, and the
    findings hold the original ones.
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
    """Return the table with its texts escaped for HTML; equal texts stay equal and different ones different."""
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
        expectation=meta["says"],
        because=meta["because"],
        remedy=meta["remedy"],
        places=tuple(places) or (_observed(outcome, inspection),),
        count=int(outcome.result.get("unexpected_count") or 1),
    )


def _place(row: dict[str, Any], inspection: Inspection) -> str:
    """Return "file: line 17: width is -3" for one entry of Great Expectations' list of unexpected rows."""
    number = f"{inspection.row_word} {row['row']}" if inspection.row_word else ""
    values = ", ".join(_told(name, value) for name, value in row.items() if name not in PLACE_COLUMNS)
    return ": ".join(part for part in (_shown(row["file"]), number, values) if part)


def _observed(outcome: gx.core.ExpectationValidationResult, inspection: Inspection) -> str:
    files = sorted(set(inspection.table["file"])) if "file" in inspection.table else []
    where = files[0] if len(files) == 1 else inspection.name
    fault = _exception(outcome.exception_info)
    return f"{where}: {fault or 'found ' + _shown(outcome.result.get('observed_value'))}"


def _exception(info: dict[str, Any] | None) -> str:
    """Return the message of an expectation that could not be computed (a column is missing or of another type)."""
    entries = [info] if info and "exception_message" in info else list((info or {}).values())
    messages = [
        str(entry["exception_message"])
        for entry in entries
        if isinstance(entry, dict) and entry.get("exception_message")
    ]
    return unescape(messages[0]) if messages else ""


def _told(column: str, value: Any) -> str:
    """Return "width is -3"; what stands in a column of faults speaks for itself."""
    return _shown(value) if column in _SELF_EXPLAINING or column.endswith("fault") else f"{column} is {_shown(value)}"


def _shown(value: Any) -> str:
    """Return a value of Great Expectations' result as text, which is no longer escaped for HTML."""
    if isinstance(value, float):
        return f"{value:g}"
    return unescape(", ".join(map(str, value)) if isinstance(value, list) else str(value))
