"""Build the validation page, a single HTML file: result, findings, pictures, counts and links to the Data Docs."""

import base64
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

_STYLE = """
:root { color-scheme: light dark; --line: #d1d5db; --soft: #6b7280; --error: #b91c1c; --warning: #b45309;
  --good: #15803d; --card: #f9fafb; }
@media (prefers-color-scheme: dark) { :root { --line: #374151; --soft: #9ca3af; --error: #f87171; --warning: #fbbf24;
  --good: #4ade80; --card: #1f2937; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { margin-bottom: .25rem; } h2 { margin: 2.25rem 0 .75rem; border-bottom: 1px solid var(--line);
  padding-bottom: .25rem; }
.verdict { font-size: 1.1rem; } .error { color: var(--error); } .warning { color: var(--warning); }
.good { color: var(--good); }
article { background: var(--card); border-left: 4px solid; border-radius: 4px; padding: .75rem 1rem; margin: .75rem 0; }
article > * { color: CanvasText; margin: .25rem 0; } article .label { color: inherit; font-weight: 600; }
code, pre { font: .85rem/1.5 ui-monospace, monospace; } pre { white-space: pre-wrap; overflow-wrap: anywhere;
  margin: .5rem 0; }
.soft { color: var(--soft); } img { max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 4px; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .3rem 1.25rem .3rem 0;
  border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 0 3rem;
  align-items: start; }
"""


def make_page(report: dict[str, Any], suites: list[dict[str, Any]], folder: Path) -> str:
    """Return the page's HTML.

    Args:
        report: the content of report.json.
        suites: one record per suite: name, rows, expectations, met, page (in the Data Docs, relative to `folder`).
        folder: holds contact_sheet.jpg and histograms.png, which are embedded in the page.
    """
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            f"<title>Validation</title><style>{_STYLE}</style>",
            f"<h1>Validation of the data</h1>{_verdict(report)}",
            _findings("Errors", report["errors"]),
            _findings("Warnings", report["warnings"]),
            "<h2>People</h2><p class=soft>Each row is one person, with crops spread over cameras and time. A row with "
            "two people means that the annotations are wrong.</p>",
            _picture(folder / "contact_sheet.jpg", "grid of people and their crops"),
            "<h2>Sizes</h2>",
            _picture(folder / "histograms.png", "histograms of crop height, width, visibility and crops per person"),
            f"<h2>Counts</h2>{_counts(report['counts'])}",
            f"<h2>Tables</h2>{_suites(suites)}",
            "</html>\n",
        ]
    )


def _verdict(report: dict[str, Any]) -> str:
    counts = report["counts"]
    inspected = (
        f"{counts['num_crops']:,} crops, {counts['num_annotations']:,} annotations of "
        f"{_number(counts['num_sequences'], 'sequence')}."
    )
    errors, warnings = _number(len(report["errors"]), "error"), _number(len(report["warnings"]), "warning")
    if report["passed"]:
        return f'<p class="verdict"><b class="good">Passed</b> with {warnings}: {inspected}</p>'
    return f'<p class="verdict"><b class="error">Stopped</b> by {errors} ({warnings}): {inspected}</p>'


def _number(count: int, noun: str) -> str:
    return f"{f'{count:,}' if count else 'no'} {noun}{'' if count == 1 else 's'}"


def _findings(title: str, findings: list[dict[str, Any]]) -> str:
    return f"<h2>{title}</h2>" + "".join(_finding(finding) for finding in findings) if findings else ""


def _finding(finding: dict[str, Any]) -> str:
    more = finding["count"] - len(finding["places"])
    places = "\n".join([*finding["places"], *([f"… and {more:,} more"] if more > 0 else [])])
    title = f"{finding['suite']}: expected that {finding['expectation']}"
    return (
        f'<article class="{finding["level"]}"><p class="label">{escape(title)}</p>'
        f"<pre>{escape(places)}</pre><p>{escape(finding['because'])}</p><p><b>To do:</b> "
        f"{escape(finding['remedy'])}</p></article>"
    )


def _picture(path: Path, description: str) -> str:
    kind = "png" if path.suffix == ".png" else "jpeg"
    return f'<img alt="{description}" src="data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}">'


def _counts(counts: dict[str, int]) -> str:
    names = {name: name.removeprefix("num_").replace("_", " ") for name in sorted(counts)}
    rows = [f'<tr><td>{label}<td class="number">{counts[name]:,}' for name, label in names.items()]
    half = -(-len(rows) // 2)
    return (
        '<div class="columns">'
        + "".join(f"<table>{''.join(column)}</table>" for column in (rows[:half], rows[half:]))
        + "</div>"
    )


def _met(suite: dict[str, Any]) -> str:
    missed = suite["expectations"] - suite["met"]
    return f"{missed} not met" if missed else "all met"


def _suites(suites: list[dict[str, Any]]) -> str:
    rows = [
        f'<tr><td><a href="{quote(suite["page"])}">{escape(suite["name"])}</a><td class="number">{suite["rows"]:,}'
        f'<td class="number">{suite["expectations"]}<td '
        f'class="{"good" if suite["met"] == suite["expectations"] else "warning"}">{_met(suite)}'
        for suite in suites
    ]
    return (
        "<p>All expectations and their reasons are in Great Expectations' "
        '<a href="docs/index.html">Data Docs</a>.</p><table><tr><th>table<th>rows<th>expectations<th>result'
        + "".join(rows)
        + "</table>"
    )
