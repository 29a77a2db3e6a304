"""Search spaces of tracker constants: a range or choices for each knob.

Params.yaml is checked against it, so this module imports nothing heavy.

The ranges surround the published values. Gates and weights of appearance are in none of them: the model separates the
people of training scenes better than unknown people, so a search on such scenes gives appearance too much weight. Name
such a knob in `tune.search` if the scenes show people unknown to the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reidops.errors import ReidopsError
from reidops.tracking.constants import CONSTANTS, constants_of

# Knobs of every tracker besides its constants: the appearance gate, in its own cost, and the least confidence.
GATE, MIN_CONFIDENCE = "gate", "min_confidence"
OF_ALL = (GATE, MIN_CONFIDENCE)

_LIFE = {"max_age": [10, 120], "n_init": [1, 5]}
_SCORES = {"high": [0.3, 0.8], "new": [0.3, 0.9]}  # for detectors with confidences in 0 … 1
_OC_SORT = {
    "high": [0.3, 0.8],
    "iou": [0.1, 0.5],
    "delta": [1, 6],
    "inertia": [0.0, 0.5],
    "max_age": [10, 120],
    "min_hits": [0, 5],
}
_BYTETRACK = _SCORES | {"match": [0.6, 0.95], "second": [0.3, 0.8], "unconfirmed": [0.4, 0.9], "max_age": [10, 120]}

SEARCH_SPACES: dict[str, dict[str, Any]] = {
    "sort": {"iou": [0.1, 0.5], "max_age": [1, 30], "min_hits": [1, 5]},
    "deepsort": _LIFE | {"iou_gate": [0.4, 0.9], "motion_gate": [5.0, 20.0]},
    "strongsort": _LIFE | {"high": [0.3, 0.8], "iou_gate": [0.4, 0.9], "motion_gate": [5.0, 20.0]},
    "evidence": {
        "speed_x": [0.2, 1.0],
        "speed_y": [0.05, 0.5],
        "decay": [0.4, 6.0],
        "freedom": [2.0, 20.0],
        "hide": [0.05, 0.8],
        "back": [0.2, 2.0],
        "leave": [0.02, 0.3],
        "arrivals": [0.05, 2.0],
        "confirm_hits": [1, 5],
        "tentative_seconds": [0.0, 0.5],
    },
    "bytetrack": _BYTETRACK,
    "botsort": _BYTETRACK,
    "ocsort": _OC_SORT,
    "deepocsort": _OC_SORT,
    "cbiou": {
        "small": [0.0, 0.5],
        "large": [0.3, 1.0],
        "window": [1, 10],
        "biou": [0.01, 0.5],
        "max_age": [10, 120],
        "min_hits": [1, 5],
    },
    "hybridsort": _OC_SORT
    | {"low": [0.05, 0.3], "confidence_weight": [0.0, 2.0], "second_confidence_weight": [0.0, 2.0]},
    "boosttrack": {
        "high": [0.3, 0.8],
        "iou": [0.1, 0.5],
        "iou_weight": [0.0, 1.0],
        "mahalanobis_weight": [0.0, 1.0],
        "shape_weight": [0.0, 1.0],
        "max_age": [10, 120],
        "min_hits": [0, 5],
    },
}


class Suggestion(Protocol):
    """The methods of optuna's trial that a knob uses."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return an integer, both ends included."""

    def suggest_float(self, name: str, low: float, high: float) -> float:
        """Return a number."""

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """Return one of the choices."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    whole: bool = False

    def draw(self, name: str, trial: Suggestion) -> float:
        """Return a value; a fraction is rounded to three digits, so that the file holds exactly what was tried."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high))
        return min(max(round(trial.suggest_float(name, self.low, self.high), 3), self.low), self.high)

    @property
    def values(self) -> tuple[float, float]:
        """Return both ends."""
        return self.low, self.high


@dataclass(frozen=True)
class Choices:
    """One of some values."""

    values: tuple[Any, ...]

    def draw(self, name: str, trial: Suggestion) -> Any:
        """Return one of the values."""
        return trial.suggest_categorical(name, self.values)


@dataclass(frozen=True)
class SearchSpace:
    """The knobs of a tracker's search, and the values that all trials share; other constants are published ones."""

    tracker: str
    knobs: Mapping[str, Range | Choices]
    held: Mapping[str, Any]

    def draw(self, trial: Suggestion) -> dict[str, Any]:
        """Return the values of one trial."""
        return {**self.held, **{name: knob.draw(name, trial) for name, knob in self.knobs.items()}}

    def floor(self, min_confidence: float | dict[str, float] | None) -> float | dict[str, float] | None:
        """Return a confidence that every detection used by any trial reaches; None = any.

        The start with its `min_confidence` is included.
        """
        if MIN_CONFIDENCE not in self.knobs:
            return self.held.get(MIN_CONFIDENCE, min_confidence)
        return (
            min(min_confidence, *self.knobs[MIN_CONFIDENCE].values) if isinstance(min_confidence, int | float) else None
        )


def search_space(tracker: str, changed: Mapping[str, Any]) -> SearchSpace:
    """Return a tracker's search space, with some knobs changed.

    Args:
        changed: knob → [least, most], a list of other choices, or one value that is held.

    Raises:
        ReidopsError: the tracker or a knob is unknown, a range is reversed, or a value is not allowed for the constant.
    """
    if tracker not in CONSTANTS:
        raise ReidopsError(f"{tracker} is no tracker; known: {', '.join(CONSTANTS)}")
    wanted = {**SEARCH_SPACES[tracker], **changed}
    for name, setting in wanted.items():
        for value in setting if isinstance(setting, list) else [setting]:
            _check_value(tracker, name, value)
    knobs = {name: _knob(tracker, name, setting) for name, setting in wanted.items() if isinstance(setting, list)}
    if not knobs:
        raise ReidopsError(
            f"{tracker}: every knob is held at one value, so there is nothing to search; give one [least, most]"
        )
    return SearchSpace(tracker, knobs, {name: setting for name, setting in wanted.items() if name not in knobs})


def check_search(search: Mapping[str, Mapping[str, Any]]) -> None:
    """Check the params of the search for any tracker's constants.

    Raises:
        ReidopsError: as `search_space`.
    """
    for tracker, changed in search.items():
        search_space(tracker, changed)


def _check_value(tracker: str, name: str, value: Any) -> None:
    """Refuse a name or a value that the tracker's dataclass of constants does not allow."""
    if name not in OF_ALL:
        constants_of(tracker, {name: value})
    elif not _is_number(value):
        raise ReidopsError(f"{tracker}.{name} is {value!r}: expected a number, or [least, most]")


def _knob(tracker: str, name: str, setting: list[Any]) -> Range | Choices:
    if len(setting) < 2:
        raise ReidopsError(
            f"{tracker}.{name} is {setting}: expected [least, most] or several choices; to fix a constant, give "
            f"one value without brackets"
        )
    if len(setting) > 2 or not all(map(_is_number, setting)):
        return Choices(tuple(setting))
    low, high = setting
    if low >= high:
        raise ReidopsError(
            f"{tracker}.{name} is [{low}, {high}]: the first must be less than the second, [{high}, {low}]"
        )
    return Range(low, high, whole=name not in OF_ALL and isinstance(getattr(CONSTANTS[tracker](), name), int))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
