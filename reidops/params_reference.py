"""The reference of all params: name, type, value in params.yaml, and description."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from reidops.errors import ReidopsError
from reidops.knobs import Knob, read_knobs
from reidops.params import say_near
from reidops.params_file import format_value


@dataclass(frozen=True)
class Entry:
    """A knob with its dotted name inside its section and its value as YAML, "" for a group of knobs."""

    name: str
    value: str
    knob: Knob


def find_entries(
    classes: Mapping[str, type], sections: Mapping[str, Any], section: str | None = None
) -> dict[str, list[Entry]]:
    """Return the knobs of every section with their values; of one section where it is named.

    Raises:
        ReidopsError: the section is unknown.
    """
    if section is not None and section not in classes:
        raise ReidopsError(f"section `{section}` is unknown{say_near(section, classes)}")
    wanted = classes if section is None else {section: classes[section]}
    return {name: list(_entries(params_class, sections.get(name) or {})) for name, params_class in wanted.items()}


def reference_table(section: str, entries: list[Entry]) -> Table:
    """Return the knobs of a section as a table, which wraps at the width of the terminal that it is printed on."""
    table = Table(
        title=section, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    table.add_column("name", no_wrap=True)
    table.add_column("type and range", overflow="fold", max_width=18)
    table.add_column("value", overflow="fold", max_width=16)
    table.add_column("description", ratio=1, overflow="fold")
    for entry in entries:  # as Text, because [05] is no style
        table.add_row(*map(Text, (entry.name, entry.knob.type, entry.value, entry.knob.description)))
    return table


def _entries(params_class: type, values: Mapping[str, Any], above: str = "") -> Iterator[Entry]:
    for knob in read_knobs(params_class):
        name, value = f"{above}{knob.name}", values.get(knob.name)
        if knob.group:
            yield Entry(name, "", knob)
            yield from _entries(knob.group, value or {}, f"{name}.")
        else:
            yield Entry(name, format_value(value) if knob.name in values else "(missing)", knob)
