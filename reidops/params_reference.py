"""The reference of all knobs, read from params.yaml itself: name, value, and the remark beside it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich import box
from rich.table import Table
from rich.text import Text

from reidops.errors import ReidopsError
from reidops.params import read_sections, say_near

_REMARK = re.compile(r"[^#\n]*?#[ \t]*([^\n]*)")


@dataclass(frozen=True)
class Knob:
    """One param: its dotted name inside its section, its value as written, and the remark beside it."""

    name: str
    value: str
    remark: str


def read_reference(path: Path, section: str | None = None) -> dict[str, list[Knob]]:
    """Return the knobs of a params file by section; of one section where it is named.

    Raises:
        ReidopsError: the file is missing or no params file, or the section is unknown.
    """
    sections = read_sections(path)
    if section is not None and section not in sections:
        raise ReidopsError(f"{path}: section `{section}` is unknown{say_near(section, sections)}")
    text = path.read_text()
    found: dict[str, list[Knob]] = {}
    root = yaml.compose(text)
    for key, node in root.value if isinstance(root, yaml.MappingNode) else ():
        if section in (None, key.value):
            found[key.value] = list(_knobs(text, node)) if isinstance(node, yaml.MappingNode) else []
    return found


def reference_table(section: str, knobs: list[Knob]) -> Table:
    """Return a section's knobs as a table, which wraps at the width of the terminal that it is printed on."""
    table = Table(
        title=section, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    table.add_column("name", no_wrap=True)
    table.add_column("value", overflow="fold", max_width=16)
    table.add_column("remark", ratio=1, overflow="fold")
    for knob in knobs:
        table.add_row(Text(knob.name), Text(knob.value), Text(knob.remark))  # as Text, for [05] is no style
    return table


def _knobs(text: str, mapping: yaml.MappingNode, above: str = "") -> Iterator[Knob]:
    for key, value in mapping.value:
        name = f"{above}{key.value}"
        if isinstance(value, yaml.ScalarNode) or value.flow_style:
            written = " ".join(text[value.start_mark.index : value.end_mark.index].split())
            yield Knob(name, written, _remark(text, value.end_mark.index))
        elif isinstance(value, yaml.MappingNode):
            yield Knob(name, "", _remark(text, key.end_mark.index))
            yield from _knobs(text, value, f"{name}.")
        else:
            listed = yaml.SafeLoader("").construct_object(value, deep=True)
            yield Knob(name, str(listed), _remark(text, key.end_mark.index))


def _remark(text: str, index: int) -> str:
    """Return the comment between a place in the file and the end of its line, "" where there is none."""
    found = _REMARK.match(text, index)
    return found[1].strip() if found else ""
