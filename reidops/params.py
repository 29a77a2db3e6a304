"""Read params.yaml into one frozen, validated dataclass per stage.

Unknown names, missing names and values of a wrong type are errors with similar names as suggestions, so that a typing
error is found before a training starts.
"""

import dataclasses
import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from reidops.errors import ReidopsError

P = TypeVar("P")


@dataclass_transform(frozen_default=True)
def params_dataclass(cls: type[P]) -> type[P]:
    """Make `cls` a frozen dataclass that rejects unknown names and values of a wrong type."""
    return dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))(cls)


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
        raise ReidopsError(f"{path}: no such file; take the repository's params.yaml or one of recipes/") from None
    except yaml.YAMLError as error:
        raise ReidopsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(sections, dict):
        raise ReidopsError(f"{path}: holds {type(sections).__name__}, expected one mapping per stage")
    return sections


def check_section(cls: type[P], sections: Mapping[str, Any], section: str, path: Path) -> P:
    """Return `sections[section]` as `cls`; all names are required, so that the file shows every value."""
    if section not in sections:
        raise ReidopsError(f"{path}: section `{section}` is missing{say_near(section, sections)}")
    values = sections[section] or {}
    if not isinstance(values, dict):
        raise ReidopsError(f"{path}: section `{section}` holds {values!r}, expected names and values")
    _check_names(cls, values, f"{path}: {section}")
    try:
        # As JSON, because strict Python input rejects a mapping for a nested dataclass and a list for a tuple.
        return TypeAdapter(cls).validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ReidopsError("\n".join(f"{path}: {section}.{_describe(e)}" for e in error.errors())) from None


def check_all(classes: Mapping[str, type], path: Path = Path("params.yaml")) -> None:
    """Check a whole params file against the dataclass of every section.

    Raises:
        ReidopsError: the message lists all faults of all sections.
    """
    sections = read_sections(path)
    faults = [
        f"{path}: section `{name}` is unknown{say_near(name, classes)}" for name in sections if name not in classes
    ]
    for section, cls in classes.items():
        try:
            check_section(cls, sections, section, path)
        except ReidopsError as error:
            faults.append(str(error))
    if faults:
        raise ReidopsError("\n".join(faults))


def _check_names(cls: type, values: Mapping[str, Any], where: str) -> None:
    fields = {f.name: f for f in dataclasses.fields(cls)}
    faults = [f"{where}.{name} is unknown{say_near(str(name), fields)}" for name in values if name not in fields]
    faults += [f"{where}.{name} is missing{_default(f)}" for name, f in fields.items() if name not in values]
    if faults:
        raise ReidopsError("\n".join(faults))
    for name, field in fields.items():
        if dataclasses.is_dataclass(field.type) and isinstance(values[name], dict):
            _check_names(field.type, values[name], f"{where}.{name}")


def _default(field: dataclasses.Field) -> str:
    value = getattr(field.default, "default", field.default)
    return "" if value is dataclasses.MISSING else f"; the default is {value!r}"


def _describe(error: dict[str, Any]) -> str:
    name = ".".join(str(place) for place in error["loc"])
    return f"{name} is {error['input']!r}: {error['msg']}"


def say_near(name: str, known: Mapping[str, Any]) -> str:
    """Return the end of a message about an unknown name: similar names, or all known names."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else f"; known: {', '.join(known)}"
