"""Write Great Expectations' Data Docs as pages that work offline and are equal for equal data.

The original pages load style sheets and scripts from six hosts, build the index by script, and hold the time of the run
and random ids. The pages are rewritten with an inline style sheet, a plain index and stable names.
"""

import logging
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import great_expectations as gx

_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 0 1.25rem 3rem;
  color: #111827; }
a { color: #2563eb; } nav.navbar.sticky-top, footer, .breadcrumb, .sticky, .lead { display: none !important; }
#section-1 .collapse, #section-1 a[data-toggle=collapse] { display: none; }
h4, h5, h6 { margin: 1.25rem 0 .25rem; font-size: 1.05rem; } table { border-collapse: collapse; width: 100%;
  margin: .5rem 0 1rem; }
td, th { border-bottom: 1px solid #d1d5db; padding: .4rem .75rem .4rem 0; text-align: left; vertical-align: top; }
th { color: #6b7280; font-weight: 600; } .alert { border-radius: 4px; } .alert-secondary { background: #f3f4f6;
  padding: .1rem .75rem; }
.table .table { background: #f9fafb; } [style*="color:red"], [style*="color: red"] { color: #6b7280 !important; }
.fa-check-circle::before { content: "✓"; color: #15803d; font-weight: 700; font-style: normal; }
.fa-times::before { content: "✗"; color: #b91c1c; font-weight: 700; font-style: normal; }
.fa-exclamation-triangle::before { content: "!"; color: #b45309; font-weight: 700; font-style: normal; }
</style>"""


def write_data_docs(context: gx.data_context.EphemeralDataContext, folder: Path) -> None:
    """Write Great Expectations' pages of all suites and results into `folder`."""
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())}
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": backend,
    }
    context.add_data_docs_site("docs", {**site, "show_how_to_buttons": False})
    with _failures_raised():
        context.build_data_docs()


@contextmanager
def _failures_raised() -> Iterator[None]:
    """Raise the error of a page that cannot be written; Great Expectations logs it and leaves half a page."""
    failures: list[OSError] = []

    def collect(record: logging.LogRecord) -> bool:
        """Keep the error of a record; a record with one is not logged."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            failures.append(error)
        return not isinstance(error, OSError)

    builder = logging.getLogger("great_expectations.render.renderer.site_builder")
    builder.addFilter(collect)
    try:
        yield
    finally:
        builder.removeFilter(collect)
    if failures:
        raise failures[0]


def result_pages(folder: Path) -> dict[str, Path]:
    """Return the page of each suite's result, by the suite's name."""
    return {
        page.relative_to(folder / "validations").parts[0]: page
        for page in sorted((folder / "validations").rglob("*.html"))
    }


def make_self_contained(folder: Path, suites: list[dict[str, Any]]) -> None:
    """Rewrite every page in `folder` to load nothing from other hosts; replace the index, which needs scripts."""
    for page in sorted(folder.rglob("*.html")):
        page.write_text(self_contained(page.read_text(), len(page.relative_to(folder).parts) - 1))
    (folder / "index.html").write_text(_index(suites))
    shutil.rmtree(folder / "static")  # 4 MB of fonts and logos that the rewritten pages do not use


def self_contained(html: str, depth: int) -> str:
    """Return a page without scripts, external styles and pictures, time stamps and random ids.

    An inline style sheet and a link to the index are added.

    Args:
        depth: number of folders between the page and the index.
    """
    html = re.sub(r"<script\b.*?</script>", "", html, flags=re.DOTALL)
    html = re.sub(r"<style\b.*?</style>|<footer>.*?</footer>", "", html, flags=re.DOTALL)
    html = re.sub(r'<link\b[^>]*>|<img\b[^>]*src="https?://[^>]*>|Data asset: None<br>', "", html)
    html = re.sub(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", html)
    html = re.sub(r"\b\d{8}T\d{6}\.\d{6}Z(?!/)", "", html)
    home = f'<p><a href="{"../" * depth}index.html">All tables</a></p>'
    return html.replace("</head>", f"{_STYLE}</head>", 1).replace("<body>", f"<body>{home}", 1)


def _index(suites: list[dict[str, Any]]) -> str:
    """Return the index page: a table of all suites with links to their results."""
    rows = "".join(map(_index_row, suites))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Data Docs</title>{_STYLE}</head><body><h1>Data Docs</h1>"
        "<p>The expectations of each table, their reasons and their results. Summary and pictures: "
        '<a href="../index.html">validation</a>.</p>'
        f"<table><tr><th><th>table<th>expectations met<th>rows</tr>{rows}</table></body></html>\n"
    )


def _index_row(suite: dict[str, Any]) -> str:
    icon = "fa-check-circle" if suite["met"] == suite["expectations"] else "fa-exclamation-triangle"
    return (
        f'<tr><td><i class="fas {icon}"></i>'
        f'<td><a href="{quote(suite["page"].removeprefix("docs/"))}">{escape(suite["name"])}</a>'
        f"<td>{suite['met']} of {suite['expectations']}<td>{suite['rows']:,}"
    )
