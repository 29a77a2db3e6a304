"""Write a comparison as drift.json and as one self-contained page, drift.html."""

import html
from pathlib import Path

import numpy as np

from reidops.drift.comparison import Comparison, Finding
from reidops.drift.reference import Reference
from reidops.files import whole_file, write_json

REPORT_JSON, REPORT_HTML = "drift.json", "drift.html"

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.3em .6em;border-bottom:1px solid #ddd;text-align:left}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}.drift{color:#a00;font-weight:600}.none{color:#060}"
)
_WIDTH, _HEIGHT, _RADIUS = 220, 26, 3  # of a drawing, px


def write_report(comparison: Comparison, reference: Reference, folder: Path) -> None:
    """Write drift.json and drift.html into `folder`."""
    write_json(comparison.as_dict(), folder / REPORT_JSON)
    with whole_file(folder / REPORT_HTML) as temporary:
        temporary.write_text(render(comparison, reference), encoding="utf-8")


def describe(comparison: Comparison) -> str:
    """Return the result in one line."""
    drifted = [finding for finding in comparison.findings if finding.is_drift]
    if not drifted:
        return f"no drift in {comparison.num_boxes:,} boxes of {len(comparison.scenes)} scenes"
    listed = ", ".join(f"{one.name} ({one.deviations:+.1f} sd, p = {one.p_value:.1g})" for one in drifted)
    return f"drift in {comparison.num_boxes:,} boxes of {len(comparison.scenes)} scenes: {listed}"


def render(comparison: Comparison, reference: Reference) -> str:
    """Return the page; it refers to nothing outside."""
    rows = "".join(_row(finding, reference.statistics[finding.name]) for finding in comparison.findings)
    verdict, kind = ("Drift", "drift") if comparison.is_drift else ("No drift", "none")
    bound = comparison.alpha / len(comparison.findings)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{verdict}</title><style>{_STYLE}</style>'
        f'</head><body><h1 class="{kind}">{verdict}</h1><p>{html.escape(describe(comparison))}.</p>'
        f"<p>New scenes: {html.escape(', '.join(comparison.scenes))}. Reference: {len(comparison.reference_units)} "
        f"{comparison.reference_kind} ({html.escape(', '.join(comparison.reference_units))}). A statistic drifts if "
        f"its p value is below {bound:.2g}, so that at most {comparison.alpha:.0%} of the comparisons of the same kind "
        f"have a false alarm. {_remark(comparison)}</p><table><tr><th>statistic</th><th>meaning</th><th>new</th>"
        f"<th>reference</th><th>p</th><th>reference's units (grey), new (red)</th></tr>{rows}</table></body></html>"
    )


def _remark(comparison: Comparison) -> str:
    if comparison.reference_kind == "scenes":
        return "The units are whole scenes."
    return (
        "The reference has few scenes, so that the units are stretches of them: another scene of the same kind may be "
        "reported as drift."
    )


def _row(finding: Finding, of_reference: np.ndarray) -> str:
    kind = "drift" if finding.is_drift else ""
    return (
        f'<tr><td class="{kind}">{finding.name}</td><td>{html.escape(finding.meaning)}</td>'
        f'<td class="n">{finding.value:.4g}</td>'
        f'<td class="n">{finding.reference_mean:.4g} ± {finding.reference_std:.2g}</td>'
        f'<td class="n {kind}">{finding.p_value:.2g}</td><td>{_draw(finding.value, of_reference)}</td></tr>'
    )


def _draw(value: float, of_reference: np.ndarray) -> str:
    """Return the units of the reference and the new value as dots on a line."""
    known = of_reference[np.isfinite(of_reference)]
    least, most = min([value, *known]), max([value, *known])
    span = max(most - least, 1e-9)

    def place(one: float) -> float:
        """Return the horizontal position of a value, px."""
        return _RADIUS + (one - least) / span * (_WIDTH - 2 * _RADIUS)

    dots = [f'<circle cx="{place(one):.1f}" cy="{_HEIGHT / 2}" r="{_RADIUS}" fill="#999"/>' for one in known]
    dots.append(f'<circle cx="{place(value):.1f}" cy="{_HEIGHT / 2}" r="{_RADIUS + 1}" fill="#c00"/>')
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img">{"".join(dots)}</svg>'
