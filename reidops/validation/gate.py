"""Run the validation suites, write the report with its pictures and pages, and stop the pipeline on errors."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from reidops.errors import ReidopsError
from reidops.files import write_json
from reidops.validation import docs
from reidops.validation.contact_sheet import draw_contact_sheet
from reidops.validation.expectations import Inspection, quiet_context, run_inspections
from reidops.validation.findings import ERROR, WARNING, Finding, make_report
from reidops.validation.histograms import draw_histograms
from reidops.validation.inspections import Inspected
from reidops.validation.page import make_page

_NUM_NAMED = 3  # warnings in the closing line


def judge(inspected: list[Inspected], folder: Path) -> list[Finding]:
    """Run every suite and return the findings; write report.json, the Data Docs and index.html into `folder`.

    The pictures must already be in `folder`, because the page shows them.
    """
    inspections = [inspection for one in inspected for inspection in one.inspections]
    context = quiet_context()
    findings = run_inspections(inspections, context)
    report = make_report(findings, {name: count for one in inspected for name, count in one.counts.items()})
    write_json(report, folder / "report.json")
    docs.write_data_docs(context, folder / "docs")
    suites = summarise_suites(inspections, findings, folder)
    docs.make_self_contained(folder / "docs", suites)
    (folder / "index.html").write_text(make_page(report, suites, folder))
    return findings


def summarise_suites(inspections: list[Inspection], findings: list[Finding], folder: Path) -> list[dict[str, Any]]:
    """Return one record per suite: name, rows, expectations, met, and page (in the Data Docs, relative to `folder`)."""
    unmet = Counter(finding.suite for finding in findings)
    pages = docs.result_pages(folder / "docs")
    return [
        {
            "name": inspection.name,
            "rows": len(inspection.table),
            "expectations": len(inspection.expectations),
            "met": len(inspection.expectations) - unmet[inspection.name],
            "page": pages[inspection.name].relative_to(folder).as_posix(),
        }
        for inspection in inspections
    ]


def draw_pictures(crops: pd.DataFrame, people: pd.DataFrame, tar: Path, folder: Path, *, num_people: int) -> None:
    """Write `contact_sheet.jpg` and `histograms.png` into `folder`."""
    draw_contact_sheet(crops, tar, num_people).save(folder / "contact_sheet.jpg", quality=88)
    draw_histograms(crops, people, folder / "histograms.png")


def stop_on_errors(findings: list[Finding], folder: Path) -> None:
    """Raise if the findings hold an error.

    Raises:
        ReidopsError: the message lists every error with file, row and remedy, and the path of the whole report.
    """
    errors = [finding for finding in findings if finding.level == ERROR]
    if errors:
        messages = "\n".join(finding.message() for finding in errors)
        raise ReidopsError(
            f"the data failed validation (errors: {len(errors)}); all findings with pictures: {folder / 'index.html'}\n"
            f"{messages}"
        )


def name_warnings(findings: list[Finding], folder: Path) -> str:
    """Return one line with the first warnings and the path of the full list, or "no warning"."""
    warnings = [finding for finding in findings if finding.level == WARNING]
    if not warnings:
        return "no warning"
    named = [
        f"{finding.suite}: expected that {finding.expectation} ({finding.count:,} not)"
        for finding in warnings[:_NUM_NAMED]
    ]
    more = [f"{len(warnings) - _NUM_NAMED} more"] if len(warnings) > _NUM_NAMED else []
    number = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    return f"{number} ({'; '.join([*named, *more])}); see {folder / 'index.html'}"
