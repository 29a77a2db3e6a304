"""The params of the default recipe, for tests that need a whole section."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from reidops.params import check_all
from stages.params import SECTIONS

P = TypeVar("P")


def default_params(params_class: type[P], **changes: Any) -> P:
    """Return a section with its values in recipes/default.yaml, some of them changed."""
    section = next(section for section in _sections() if type(section) is params_class)
    return replace(section, **changes)


@cache
def _sections() -> tuple[Any, ...]:
    return tuple(check_all(SECTIONS, Path(__file__).parents[1] / "recipes" / "default.yaml").values())
