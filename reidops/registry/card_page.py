"""Self-contained HTML pages of model cards: escaped text, tables and pictures inside the file, no address of others."""

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from PIL import Image

_MOST_BYTES = 400_000  # of a picture that is taken as it is
_MOST_WIDTH = 1600  # of a larger picture, which becomes a JPEG, px
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
_SECTION = re.compile(r'<section id="([\w-]+)">(.*?)</section>', re.DOTALL)
_HEADER = re.compile(r"<header>(.*?)</header>", re.DOTALL)

_STYLE = """
:root { color-scheme: light; --ink: #1c2430; --soft: #5b6675; --line: #dde3ea; --back: #f6f8fa; --good: #1a7f4b;
  --bad: #b3261e; --key: #1f5fbf; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.55 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 60px; }
main.wide { max-width: none; }
h1 { font-size: 27px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 0 0 12px; }
h3 { font-size: 15px; margin: 18px 0 6px; color: var(--soft); }
p, ul { margin: 6px 0 10px; }
ul { padding-left: 20px; }
section, header { background: #fff; border: 1px solid var(--line); border-radius: 10px;
  padding: 18px 22px; margin: 14px 0; }
.status { display: inline-block; border-radius: 12px; padding: 1px 12px; font-size: 13px; font-weight: 600; color: #fff;
  background: var(--soft); vertical-align: 4px; margin-left: 8px; }
.status.good { background: var(--good); }
.soft { color: var(--soft); }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0 4px; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 8px 14px; min-width: 150px;
  background: var(--back); }
.tile b { display: block; font-size: 23px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums;
  margin: 6px 0 12px; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.good { color: var(--good); font-weight: 600; }
td.bad { color: var(--bad); font-weight: 600; }
figure { margin: 12px 0; }
figure img { max-width: 100%; border: 1px solid var(--line); border-radius: 6px; display: block; }
figcaption { color: var(--soft); font-size: 13px; margin-top: 4px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 14px; }
pre { background: #10182b; color: #e6edf7; padding: 12px 14px; border-radius: 8px; overflow-x: auto; font-size: 13px; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: 13px; overflow-wrap: anywhere; }
nav { font-size: 13px; margin-top: 10px; display: flex; flex-wrap: wrap; gap: 2px 14px; }
nav a { color: var(--key); text-decoration: none; white-space: nowrap; }
.columns { columns: 240px; column-gap: 28px; padding-left: 18px; font-size: 14px; }
summary { cursor: pointer; color: var(--key); }
.wide-picture figure img { max-width: min(100%, 820px); }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 14px; align-items: start; }
.sides > * { min-width: 0; }
@media print { section { break-inside: avoid; } body { background: #fff; } }
"""


@dataclass(frozen=True)
class Section:
    """A section of a card; `html` is escaped already, `key` is its anchor."""

    key: str
    title: str
    html: str


@dataclass(frozen=True)
class Tile:
    """A figure of the head of a card."""

    value: str
    label: str
    note: str = ""


def page(title: str, head: str, sections: Iterable[Section]) -> str:
    """Return a whole page."""
    shown = [section for section in sections if section.html]
    links = "".join(f'<a href="#{section.key}">{escape(section.title)}</a>' for section in shown)
    body = "".join(
        f'<section id="{section.key}"><h2>{escape(section.title)}</h2>{section.html}</section>' for section in shown
    )
    return _document(title, f"<main><header>{head}<nav>{links}</nav></header>{body}</main>")


def beside(title: str, cards: Mapping[str, str], lead: str = "") -> str:
    """Return a page with two or more cards side by side, section by section, so that equal sections are level.

    Args:
        title: the title of the page.
        cards: a label and a page of `page` for each card.
        lead: HTML above the cards.
    """
    found = {label: dict(_SECTION.findall(card)) for label, card in cards.items()}
    keys = dict.fromkeys(key for sections in found.values() for key in sections)
    heads = [f"<header>{_without_links(_first(_HEADER, card))}</header>" for card in cards.values()]
    rows = [_sides(heads)]
    for key in keys:
        rows.append(_sides([_half(key, number, sections.get(key)) for number, sections in enumerate(found.values())]))
    return _document(title, f'<main class="wide"><h1>{escape(title)}</h1>{lead}{"".join(rows)}</main>')


def _half(key: str, number: int, html: str | None) -> str:
    text = '<p class="soft">This card has no such section.</p>' if html is None else html
    return f'<section id="{key}-{number}">{text}</section>'


def _sides(parts: Sequence[str]) -> str:
    return f'<div class="sides">{"".join(parts)}</div>'


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1) if found else ""


def _without_links(head: str) -> str:
    return re.sub(r"<nav>.*?</nav>", "", head, flags=re.DOTALL)


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def text(value: object) -> str:
    """Return a paragraph."""
    return f"<p>{escape(str(value))}</p>"


def bullets(rows: Iterable[object], *, columns: bool = False) -> str:
    """Return a list, in several columns if there is room for `columns`; "" without rows."""
    items = "".join(f"<li>{escape(str(row))}</li>" for row in rows)
    kind = ' class="columns"' if columns else ""
    return f"<ul{kind}>{items}</ul>" if items else ""


def folded(title: str, inner: str) -> str:
    """Return a part that opens at a click; "" if it is empty."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>" if inner else ""


def paired(figures: str) -> str:
    """Return pictures side by side where there is room; "" without pictures."""
    return f'<div class="pair">{figures}</div>' if figures else ""


def heading(value: str) -> str:
    """Return a heading inside a section."""
    return f"<h3>{escape(value)}</h3>"


def code(value: str) -> str:
    """Return a block of code."""
    return f"<pre>{escape(value)}</pre>"


def tiles(rows: Iterable[Tile]) -> str:
    """Return the figures of the head."""
    shown = "".join(
        f'<div class="tile"><b>{escape(row.value)}</b><span>{escape(row.label)}</span>'
        f"<span>{escape(row.note)}</span></div>"
        for row in rows
    )
    return f'<div class="tiles">{shown}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], marks: Mapping[str, str] | None = None) -> str:
    """Return a table; "" without rows. Cells that begin as a number are aligned right.

    Args:
        head: the titles of the columns.
        rows: the cells of each row.
        marks: text of a cell → its class, `good` or `bad`.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return ""
    numeric = [all(_is_number(row[column]) for row in cells) for column in range(len(head))]
    titles = "".join(f"<th{_class(right, '')}>{escape(title)}</th>" for title, right in zip(head, numeric, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_class(right, (marks or {}).get(cell, ''))}>{escape(cell)}</td>"
            for cell, right in zip(row, numeric, strict=True)
        )
        + "</tr>"
        for row in cells
    )
    return f'<div class="scroll"><table><tr>{titles}</tr>{body}</table></div>'


def _is_number(cell: str) -> bool:
    return cell in ("", "–") or re.match(r"[+−-]?[\d.,]+(e-?\d+)?( ?%)?$", cell) is not None


def _class(right: bool, mark: str) -> str:
    names = " ".join(filter(None, ["number" if right else "", mark]))
    return f' class="{names}"' if names else ""


def pictures(paths: Iterable[tuple[Path, str]]) -> str:
    """Return the pictures that exist, each with its caption, inside the page."""
    return "".join(_picture(path, escape(caption)) for path, caption in paths if path.is_file())


def _picture(path: Path, caption: str) -> str:
    return f'<figure><img alt="{caption}" src="{_data_uri(path)}"><figcaption>{caption}</figcaption></figure>'


def _data_uri(path: Path) -> str:
    """Return a picture as a data URI; a large one as a JPEG of at most _MOST_WIDTH px."""
    kind, content = _TYPES[path.suffix.lower()], path.read_bytes()
    if len(content) > _MOST_BYTES:
        with Image.open(io.BytesIO(content)) as picture:
            small = picture.convert("RGB")
        small.thumbnail((_MOST_WIDTH, 10 * _MOST_WIDTH))
        stream = io.BytesIO()
        small.save(stream, "JPEG", quality=82)
        kind, content = "image/jpeg", stream.getvalue()
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
