"""The text of params.yaml: values, each with a remark that is made from the description of its param."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reidops.errors import ReidopsError
from reidops.exponents import read_exponents
from reidops.files import whole_file
from reidops.knobs import Knob, read_knobs
from reidops.params import check_sections, read_sections

_WIDTH, _COLUMN, _INDENT = 120, 30, "  "  # of a line, of the remarks beside values, of a level
_FIXED_SPACE = "\N{NO-BREAK SPACE}"
_NOTE = (
    "One section per stage. Change a value here, or for one experiment with `dvc exp run -S train.epochs=2`. The "
    "remarks come from stages/params/, and `reidops params --write` writes them again."
)
_NUMBER = re.compile(r"[-+]?\.?\d[\w.:+-]*")  # what YAML 1.1 or 1.2 may read as a number


class _Dumper(yaml.SafeDumper):
    """Writes text that YAML could read as a number in quotes, so that every version of YAML reads it as text."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _NUMBER.fullmatch(text) else None)


_Dumper.add_representer(str, _represent_text)


def format_params(classes: Mapping[str, type], sections: Mapping[str, Any], head: str) -> str:
    """Return a params file with the values of all sections and a remark for each.

    Args:
        head: the comment at the beginning of the file, lines that begin with `#`.
    """
    blocks = [head.rstrip("\n"), "\n".join(_comment(_NOTE, ""))]
    for section, params_class in classes.items():
        title = _comment((params_class.__doc__ or "").partition("\n")[0], "")
        values = read_exponents(params_class, sections[section])
        blocks.append("\n".join([*title, f"{section}:", *_lines(params_class, values, _INDENT)]))
    return "\n\n".join(blocks) + "\n"


def write_params(path: Path, classes: Mapping[str, type], sections: Mapping[str, Any], head: str) -> None:
    """Write a params file.

    Raises:
        ReidopsError: a value is missing, unknown or not permitted; nothing was written.
    """
    check_sections(classes, sections, path)
    with whole_file(path) as partial:
        partial.write_text(format_params(classes, sections, head))


def read_head(path: Path) -> str:
    """Return the comment at the beginning of a params file or a recipe, up to the first line that is no comment."""
    lines = path.read_text().splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "\n".join(lines[:end]).rstrip("\n#")


def format_value(value: Any) -> str:
    """Return a value as YAML in one line."""
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False
    )
    return text.removesuffix("...\n").strip()


def add_missing(classes: Mapping[str, type], sections: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections with the params that they lack added from `default`."""
    return {
        name: _add_missing(params_class, sections.get(name) or {}, default[name])
        for name, params_class in classes.items()
    } | {name: values for name, values in sections.items() if name not in classes}


def rewrite_params(path: Path, classes: Mapping[str, type], default: Mapping[str, Any]) -> list[str]:
    """Write the remarks of a params file again, and add the params that it lacks with their default values.

    Returns:
        The dotted names of the params that were added.

    Raises:
        ReidopsError: the file is missing, or one of its values is unknown or not permitted; it is unchanged.
    """
    before = read_sections(path)
    _check_are_mappings(before, path)
    after = add_missing(classes, before, default)
    write_params(path, classes, after, read_head(path))
    known = set(names_of(before))
    return [name for name in names_of(after) if name not in known]


def names_of(sections: Mapping[str, Any]) -> Iterator[str]:
    """Yield the dotted name of every param of some sections."""
    for section, values in sections.items():
        for name, value in (values or {}).items():
            yield f"{section}.{name}"
            if isinstance(value, dict):
                yield from (f"{section}.{name}.{inner}" for inner in value)


def _check_are_mappings(sections: Mapping[str, Any], path: Path) -> None:
    for name, values in sections.items():
        if values is not None and not isinstance(values, dict):
            raise ReidopsError(f"{path}: section `{name}` holds {values!r}, expected names and values")


def _add_missing(params_class: type, values: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in the order of the params dataclass; unknown ones stay at the end, for the check to refuse."""
    filled = {}
    for knob in read_knobs(params_class):
        value = values.get(knob.name, default[knob.name])
        filled[knob.name] = (
            _add_missing(knob.group, value, default[knob.name]) if knob.group and isinstance(value, dict) else value
        )
    return filled | {name: value for name, value in values.items() if name not in filled}


def _lines(params_class: type, values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for knob in read_knobs(params_class):
        value = values[knob.name]
        if knob.group:
            yield from _with_remark(f"{indent}{knob.name}:", knob)
            yield from _lines(knob.group, value, indent + _INDENT)
        elif isinstance(value, dict) and value:
            yield from _with_remark(f"{indent}{knob.name}:", knob)
            yield from (f"{indent}{_INDENT}{format_value(key)}: {format_value(item)}" for key, item in value.items())
        else:
            yield from _with_remark(f"{indent}{knob.name}: {format_value(value)}", knob)


def _with_remark(line: str, knob: Knob) -> Iterator[str]:
    """Yield a line with its remark beside it where both fit, else the remark above it."""
    limits = f" [{knob.range.replace(' ', _FIXED_SPACE)}]" if knob.range else ""
    remark = f"{knob.description}{limits}"
    beside = f"{line:<{_COLUMN - 2}}  # {remark}"
    if len(beside) <= _WIDTH:
        yield beside.replace(_FIXED_SPACE, " ")
    else:
        yield from _comment(remark, line[: len(line) - len(line.lstrip())])
        yield line


def _comment(text: str, indent: str) -> list[str]:
    mark = f"{indent}# "
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent=mark, subsequent_indent=mark, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_FIXED_SPACE, " ") for line in lines]
