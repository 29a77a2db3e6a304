"""Numbers in exponent notation that YAML 1.1 reads as text, such as 5e-05 and 1e-3."""

import dataclasses
import re
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

_EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def read_exponents(annotation: Any, value: Any) -> Any:
    """Return a value with every text in exponent notation as a number, where the annotation permits a number.

    YAML 1.1 takes only `1.0e-3` for a number; YAML 1.2, Python and `dvc exp run -S` write `1e-3` and `5e-05`.
    """
    if isinstance(value, str):
        return float(value) if _EXPONENT.fullmatch(value) and _permits_number(annotation) else value
    if isinstance(value, Mapping):
        return {key: read_exponents(_of_key(annotation, key), item) for key, item in value.items()}
    if isinstance(value, list):
        items = _of_items(annotation)
        return [read_exponents(items, item) for item in value]
    return value


def _permits_number(annotation: Any) -> bool:
    return annotation is Any or any(kind is float or kind is Any for kind in _alternatives(annotation))


def _of_key(annotation: Any, key: str) -> Any:
    """Return the annotation of an entry of a mapping or of a field of a dataclass."""
    found = []
    for kind in _alternatives(annotation):
        if dataclasses.is_dataclass(kind):
            found += [field.type for field in dataclasses.fields(kind) if field.name == key]
        elif get_origin(kind) is dict:
            found.append(get_args(kind)[1])
        elif kind is Any:
            found.append(Any)
    return _union(found)


def _of_items(annotation: Any) -> Any:
    """Return the annotation of the items of a list or a tuple."""
    found = []
    for kind in _alternatives(annotation):
        if get_origin(kind) in (list, tuple):
            found += [item for item in get_args(kind) if item is not Ellipsis]
        elif kind is Any:
            found.append(Any)
    return _union(found)


def _union(annotations: list[Any]) -> Any:
    return Union[tuple(annotations)] if annotations else None  # noqa: UP007 - of a list that is known at run time only


def _alternatives(annotation: Any) -> list[Any]:
    """Return the annotations of which a value has one, without `Annotated`."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for item in get_args(annotation) for kind in _alternatives(item)]
    return [annotation]
