"""What params dataclasses say about each knob: its name, its type, its range and its description."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.dataclasses import is_pydantic_dataclass
from pydantic.fields import FieldInfo

_WORDS = {int: "whole number", float: "number", str: "text", NoneType: "null", Any: "any value"}


_Class = type  # `type` is a field of Knob


@dataclass(frozen=True)
class Knob:
    """One param.

    Attributes:
        name: inside its section; a knob of a nested dataclass has a dotted name.
        type: in words, with the range: `whole number ≥ 1 or null`.
        range: the range or the choices alone, "" where any value of the type is permitted.
        description: "" where the field has none.
        group: the nested dataclass, where the knob is one; None for a value.
    """

    name: str
    type: str
    range: str
    description: str
    group: _Class | None = None


def read_knobs(params_class: type) -> Iterator[Knob]:
    """Yield the knobs of a params dataclass in the order of its fields, without those of nested dataclasses."""
    if not is_pydantic_dataclass(params_class):
        raise TypeError(f"{params_class.__name__} is not a params dataclass")
    for name, field in params_class.__pydantic_fields__.items():
        annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        group = field.annotation if dataclasses.is_dataclass(field.annotation) else None
        yield Knob(
            name,
            "section" if group else describe_type(annotation),
            "" if group else describe_range(annotation),
            field.description or "",
            group,
        )


def describe_type(annotation: Any) -> str:
    """Return a type in words, with its range: `number 0 … 1 or null`."""
    return _join(
        [
            word
            for kind, limits in _alternatives(annotation)
            for word in _choices(kind) or [f"{_describe_kind(kind)} {limits}".rstrip()]
        ]
    )


def describe_range(annotation: Any) -> str:
    """Return the permitted values: `0 … 1`, `≥ 1 or null`, `scene, half or k-fold`; "" where the type says it all."""
    kinds = _alternatives(annotation)
    if any(_is_open(*kind) for kind in kinds) or all(kind in (bool, NoneType) for kind, _ in kinds):
        return ""
    return _join([word for kind, limits in kinds for word in _choices(kind) or [limits or _describe_kind(kind)]])


def _is_open(kind: Any, limits: str) -> bool:
    return _is_container(kind) or (kind in _WORDS and kind is not NoneType and not limits)


def _choices(kind: Any) -> list[str]:
    if kind is bool:
        return ["true", "false"]
    return [str(choice) for choice in get_args(kind)] if get_origin(kind) is Literal else []


def _describe_kind(kind: Any) -> str:
    if dataclasses.is_dataclass(kind):
        return f"mapping of {', '.join(field.name for field in dataclasses.fields(kind))}"
    return _describe_container(kind) if _is_container(kind) else _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def _describe_container(kind: Any) -> str:
    items = get_args(kind)
    if get_origin(kind) is dict:
        return f"mapping to {describe_type(items[1])}"
    if get_origin(kind) is tuple and Ellipsis not in items:
        return f"[{', '.join(map(describe_type, items))}]"
    return f"list of {describe_type(items[0])}"


def _is_container(kind: Any) -> bool:
    return get_origin(kind) in (dict, list, tuple)


def _alternatives(annotation: Any, limits: str = "") -> list[tuple[Any, str]]:
    """Return the types of which a value has one, each with its limits."""
    if get_origin(annotation) is Annotated:
        kind, *metadata = get_args(annotation)
        return _alternatives(kind, _describe_limits(metadata) or limits)
    if get_origin(annotation) in (Union, UnionType):
        return [found for item in get_args(annotation) for found in _alternatives(item)]
    return [(annotation, limits)]


def _describe_limits(metadata: list[Any]) -> str:
    """Return limits in words: `0 … 1`, `≥ 1`, `> 0`."""
    limits: dict[str, Any] = {}
    for item in metadata:
        for part in item.metadata if isinstance(item, FieldInfo) else [item]:
            limits |= {
                name: getattr(part, name) for name in ("ge", "gt", "le", "lt") if getattr(part, name, None) is not None
            }
    if set(limits) == {"ge", "le"}:
        return f"{limits['ge']} … {limits['le']}"
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return " and ".join(f"{sign} {limits[name]}" for name, sign in signs.items() if name in limits)


def _join(words: list[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else str(last)
