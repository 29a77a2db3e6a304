"""Read class names, stride, input size and task from the metadata of an ONNX file.

ultralytics, YOLOv5 and others write them as text (`names`, `stride`, `imgsz`, `task`).
"""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reidops.errors import ReidopsError

_PEOPLE = frozenset({"person", "persons", "people", "pedestrian", "pedestrians", "human", "humans"})
_OTHER_TASKS = {"classify": "classes of a whole picture", "obb": "rotated boxes"}


@dataclass(frozen=True)
class Metadata:
    """The metadata of a file; missing entries are empty or None."""

    names: Mapping[int, str] = field(default_factory=dict)  # of the classes, by their number
    stride: int | None = None  # px; the input's sides are multiples of it
    size: tuple[int, int] | None = None  # px, height and width of the input
    task: str | None = None  # detect, segment, pose …


def read_metadata(properties: Mapping[str, str]) -> Metadata:
    """Return the metadata of an ONNX file; an entry that cannot be parsed counts as missing.

    Raises:
        ReidopsError: the task of the network is not the detection of upright boxes.
    """
    task = properties.get("task")
    if task in _OTHER_TASKS:
        raise ReidopsError(f"its metadata state the task {task!r}: it finds {_OTHER_TASKS[task]}; export a detector")
    stride = _literal(properties.get("stride"))
    return Metadata(
        names=_names(_literal(properties.get("names") or properties.get("classes"))),
        stride=int(stride) if isinstance(stride, int | float) and stride >= 1 else None,
        size=_size(_literal(properties.get("imgsz"))),
        task=task,
    )


def person_of(names: Mapping[int, str], person_class: int | None) -> int | None:
    """Return the class number of a person, from the param or the class names; None if both are missing.

    Raises:
        ReidopsError: the param is not one of the classes, or the class names are ambiguous.
    """
    listed = ", ".join(f"{number} {name}" for number, name in list(names.items())[:20])
    if person_class is not None:
        if names and person_class not in names:
            raise ReidopsError(
                f"detector.person_class is {person_class}, but the classes in its metadata are {listed}; set it to one "
                f"of them"
            )
        return person_class
    if len(names) <= 1:
        return next(iter(names), None)
    people = [number for number, name in names.items() if name.strip().casefold() in _PEOPLE]
    if len(people) != 1:
        raise ReidopsError(
            f"{len(people)} of its classes have the name of a person ({listed}); set detector.person_class to the "
            "number of the class to track"
        )
    return people[0]


def _literal(text: str | None) -> Any:
    """Parse a Python literal or JSON; return None if the text is neither."""
    if not text:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(text)
    except ValueError:
        return None


def _names(value: Any) -> dict[int, str]:
    """Return class names by number, from a mapping or a list."""
    if isinstance(value, list | tuple):
        return {number: str(name) for number, name in enumerate(value)}
    if not isinstance(value, dict) or not all(str(number).isdecimal() for number in value):
        return {}
    return {int(number): str(name) for number, name in sorted(value.items(), key=lambda item: int(item[0]))}


def _size(value: Any) -> tuple[int, int] | None:
    sides = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, list | tuple) else ()
    is_size = len(sides) == 2 and all(isinstance(side, int) and side > 0 for side in sides)
    return (sides[0], sides[1]) if is_size else None
