"""params.yaml → one frozen, checked dataclass per stage.

A name that nobody knows, a name that is missing and a value of another type are refused, with the near names offered,
so that a typing error costs a second and not a training.
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
from pydantic_core import ErrorDetails

from reidops.errors import ReidopsError

P = TypeVar("P")


@dataclass_transform(frozen_default=True)
def params_dataclass(cls: type[P]) -> type[P]:
    """Make `cls` a frozen dataclass that refuses unknown names and values of another type."""
    checked = dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))(cls)
    return cast(type[P], checked)  # pydantic returns the class itself; its annotation does not say so


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
        raise ReidopsError(f"{path}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(sections, dict):
        raise ReidopsError(f"{path}: holds {type(sections).__name__}, expected one mapping per stage")
    return sections


def check_section(cls: type[P], sections: Mapping[str, Any], section: str, path: Path) -> P:
    """Return `sections[section]` as `cls`; every name must be there, so that the file shows every value in force."""
    if section not in sections:
        raise ReidopsError(f"{path}: section `{section}` is missing{say_near(section, sections)}")
    values = sections[section] or {}
    if not isinstance(values, dict):
        raise ReidopsError(f"{path}: section `{section}` holds {values!r}, expected names and values")
    _check_names(cls, values, f"{path}: {section}")
    try:
        # As JSON, because strict Python input would refuse the mapping of a nested dataclass and a list for a tuple.
        return TypeAdapter(cls).validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ReidopsError("\n".join(f"{path}: {section}.{_told(e)}" for e in error.errors())) from None


def check_all(classes: Mapping[str, type], path: Path = Path("params.yaml")) -> None:
    """Check a whole params file against the dataclass of every section.

    Raises:
        ReidopsError: names all faults of all sections at once.
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
        kind = field.type
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(values[name], dict):
            _check_names(kind, values[name], f"{where}.{name}")


def _default(field: dataclasses.Field) -> str:
    value = getattr(field.default, "default", field.default)
    return "" if value is dataclasses.MISSING else f"; its usual value is {value!r}"


def _told(error: ErrorDetails) -> str:
    name = ".".join(str(part) for part in error["loc"])
    return f"{name} is {error['input']!r}: {error['msg']}"


def say_near(name: str, known: Mapping[str, Any]) -> str:
    """Return the end of a message about an unknown name: the names that are near it, or all known ones."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else f"; known: {', '.join(known)}"
