"""Read params.yaml into one frozen, validated dataclass per stage.

Unknown names, missing names and values of a wrong type are errors with similar names as suggestions, so that a typing
error is found before a training starts.
"""

import dataclasses
import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, dataclass_transform

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from reidops.errors import ReidopsError
from reidops.exponents import read_exponents
from reidops.knobs import read_knobs

P = TypeVar("P")

_REMEDY = (
    "`reidops params SECTION` describes the params of a section; `reidops params --write` adds missing ones with their "
    "default values"
)


@dataclass_transform(frozen_default=True)
def params_dataclass(cls: type[P]) -> type[P]:
    """Make `cls` a frozen dataclass that rejects unknown names and values of a wrong type."""
    checked = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))(cls)
    return cast(type[P], checked)  # pydantic returns the class itself, unlike its annotation


def read_params(cls: type[P], section: str, path: Path = Path("params.yaml")) -> P:
    """Return one section of a params file as `cls`.

    Raises:
        ReidopsError: the file, the section or a name is missing, unknown or ill-typed.
    """
    return check_section(cls, read_sections(path), section, path)


def read_sections(path: Path) -> dict[str, Any]:
    """Return the whole params file, a mapping of sections."""
    try:
        sections = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise ReidopsError(f"{path}: no such file; write it with `reidops recipe default`") from None
    except yaml.YAMLError as error:
        raise ReidopsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(sections, dict):
        raise ReidopsError(f"{path}: holds {type(sections).__name__}, expected one mapping per stage")
    return sections


def check_section(cls: type[P], sections: Mapping[str, Any], section: str, path: Path) -> P:
    """Return `sections[section]` as `cls`; all names are required, so that the file shows every value.

    Numbers in exponent notation (`5e-05`) are accepted as numbers, although YAML 1.1 reads some of them as text.

    Raises:
        ReidopsError: the message gives the section, the params, their values and the expectation.
    """
    if section not in sections:
        raise ReidopsError(f"{path}: section `{section}` is missing{say_near(section, sections)}")
    values = sections[section] or {}
    if not isinstance(values, dict):
        raise ReidopsError(f"{path}: section `{section}` holds {values!r}, expected names and values")
    _check_names(cls, values, f"{path}: {section}")
    values = read_exponents(cls, values)
    try:
        # As JSON, because strict Python input rejects a mapping for a nested dataclass and a list for a tuple.
        return TypeAdapter(cls).validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ReidopsError("\n".join(_describe_faults(error, cls, values, f"{path}: {section}"))) from None


def check_all(classes: Mapping[str, type], path: Path = Path("params.yaml")) -> dict[str, Any]:
    """Return every section of a params file as its dataclass.

    Raises:
        ReidopsError: names all faults of all sections at once.
    """
    return check_sections(classes, read_sections(path), path)


def check_sections(classes: Mapping[str, type], sections: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return every section as its dataclass; `path` is the file that an error names.

    Raises:
        ReidopsError: the message lists all faults of all sections.
    """
    faults = [
        f"{path}: section `{name}` is unknown{say_near(name, classes)}" for name in sections if name not in classes
    ]
    checked: dict[str, Any] = {}
    for section, cls in classes.items():
        try:
            checked[section] = check_section(cls, sections, section, path)
        except ReidopsError as error:
            faults.append(str(error))
    if faults:
        raise ReidopsError("\n".join([*faults, _REMEDY]))
    return checked


def _check_names(cls: type, values: Mapping[str, Any], where: str) -> None:
    fields = {f.name: f for f in dataclasses.fields(cls)}
    faults = [f"{where}.{name} is unknown{say_near(str(name), fields)}" for name in values if name not in fields]
    faults += [f"{where}.{name} is missing" for name in fields if name not in values]
    if faults:
        raise ReidopsError("\n".join(faults))
    for name, field in fields.items():
        kind = field.type
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(values[name], dict):
            _check_names(kind, values[name], f"{where}.{name}")


def _describe_faults(error: ValidationError, cls: type, values: Mapping[str, Any], where: str) -> list[str]:
    """Return one line per invalid param; pydantic has one error per type of a union."""
    found: dict[tuple[str | int, ...], list[str]] = {}
    for row in error.errors():
        path = _path(row["loc"], values)
        found.setdefault(path, []).append(row["msg"].removeprefix("Value error, "))
    return [_describe_fault(path, messages, cls, values, where) for path, messages in found.items()]


def _describe_fault(
    path: tuple[str | int, ...], messages: list[str], cls: type, values: Mapping[str, Any], where: str
) -> str:
    value: Any = values
    for step in path:
        value = value[step]
    kind = _kind(path, cls)
    is_rule = len(messages) == 1 and not messages[0].startswith("Input should be")
    expected = messages[0] if is_rule else f"expected {kind or _join(messages)}"
    return f"{where}.{'.'.join(map(str, path))} is {value!r}: {expected}"


def _join(messages: list[str]) -> str:
    return " or ".join(dict.fromkeys(message.removeprefix("Input should be ") for message in messages))


def _path(location: tuple[str | int, ...], values: Any) -> tuple[str | int, ...]:
    """Return the location of a value, without the type names that pydantic appends for unions."""
    path: list[str | int] = []
    for step in location:
        if isinstance(values, dict) and step in values:
            values = values[step]
        elif isinstance(values, list) and isinstance(step, int):
            values = values[step]
        else:
            break
        path.append(step)
    return tuple(path)


def _kind(path: tuple[str | int, ...], cls: type) -> str:
    """Return the type of a param in words; "" for a value inside a mapping or a list."""
    *groups, name = path
    for group in groups:
        inner = {knob.name: knob.group for knob in read_knobs(cls)}.get(str(group))
        if inner is None:
            return ""
        cls = inner
    return next((knob.type for knob in read_knobs(cls) if knob.name == name), "")


def say_near(name: str, known: Mapping[str, Any]) -> str:
    """Return the end of a message about an unknown name: similar names, or all known names."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else f"; known: {', '.join(known)}"
