"""recipes/: list them, compare one with params.yaml, and write params.yaml from one.

`default.yaml` holds all values. Every other recipe holds the values that differ from it.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from reidops.errors import ReidopsError
from reidops.knobs import read_knobs
from reidops.params import check_sections, read_sections, say_near
from reidops.params_file import format_value, read_head, write_params

FOLDER, PARAMS, DEFAULT = "recipes", "params.yaml", "default"
_SENTENCE_END = re.compile(r"(?<=\.)\s")
_ABSENT = "(absent)"


def list_recipes(root: Path) -> dict[str, Path]:
    """Return the recipes of a repository by name, the default first.

    Raises:
        ReidopsError: there is no folder of recipes, or it has no default.
    """
    folder = root / FOLDER
    if not folder.is_dir():
        raise ReidopsError(
            f"{folder}: no such folder; expected the repository's recipes; change to its root, or give --root FOLDER"
        )
    found = {path.stem: path for path in sorted(folder.glob("*.yaml"), key=lambda path: (path.stem != DEFAULT, path))}
    if DEFAULT not in found:
        raise ReidopsError(f"{folder}: has no {DEFAULT}.yaml, which holds the default values; restore it from git")
    return found


def find_recipe(root: Path, name: str) -> Path:
    """Return the file of a recipe.

    Raises:
        ReidopsError: there is no recipe of that name.
    """
    known = list_recipes(root)
    wanted = name.removesuffix(".yaml")
    if wanted not in known:
        raise ReidopsError(f"{root / FOLDER}: no recipe `{name}`{say_near(wanted, known)}")
    return known[wanted]


def first_sentence(recipe: Path) -> str:
    """Return the first sentence of the comment at the head of a recipe, "" where it has none."""
    head = " ".join(line.lstrip("# ").rstrip() for line in read_head(recipe).splitlines())
    return _SENTENCE_END.split(head)[0]


def recipe_values(root: Path, name: str, classes: Mapping[str, type]) -> dict[str, Any]:
    """Return all values of a recipe: the default ones, replaced by those that the recipe holds.

    Raises:
        ReidopsError: there is no such recipe, or it holds an unknown name.
    """
    default = read_sections(find_recipe(root, DEFAULT))
    recipe = find_recipe(root, name)
    return default if recipe.stem == DEFAULT else overlay(default, read_sections(recipe), classes, recipe)


def overlay(
    default: Mapping[str, Any], changes: Mapping[str, Any], classes: Mapping[str, type], path: Path
) -> dict[str, Any]:
    """Return the default sections with some values changed. A param that is a mapping is replaced as a whole.

    Raises:
        ReidopsError: a section or a name in `changes` is unknown; `path` is the file that the error names.
    """
    for section in changes:
        if section not in classes:
            raise ReidopsError(f"{path}: section `{section}` is unknown{say_near(section, classes)}")
    return {
        section: _overlay(values, changes.get(section) or {}, classes[section], f"{path}: {section}")
        for section, values in default.items()
    }


def _overlay(values: Mapping[str, Any], changes: Mapping[str, Any], params_class: type, where: str) -> dict[str, Any]:
    groups = {knob.name: knob.group for knob in read_knobs(params_class)}
    for name in changes:
        if name not in groups:
            raise ReidopsError(f"{where}.{name} is unknown{say_near(str(name), groups)}")
    inner = {
        name: _overlay(values[name], value, group, f"{where}.{name}")
        for name, value in changes.items()
        if (group := groups[name]) is not None
    }
    return {**values, **changes, **inner}


def describe_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return one line per value that differs: `train.backbone: resnet10t → resnet50`."""
    old, new = dict(_flatten(before)), dict(_flatten(after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        f"{name}: {_shown(old, name)} → {_shown(new, name)}" for name in names if _shown(old, name) != _shown(new, name)
    ]


def recipe_changes(root: Path, name: str, classes: Mapping[str, type]) -> list[str]:
    """Return what a recipe would change in params.yaml; every value where there is no params.yaml.

    Raises:
        ReidopsError: there is no such recipe, or a file is not readable as params.
    """
    path = root / PARAMS
    return describe_changes(read_sections(path) if path.is_file() else {}, recipe_values(root, name, classes))


def write_recipe(root: Path, name: str, classes: Mapping[str, type], *, force: bool = False) -> None:
    """Write params.yaml from a recipe: its head, all values and their remarks.

    Args:
        force: overwrite the user's own values, too.

    Raises:
        ReidopsError: there is no such recipe, or params.yaml has the user's own values.
    """
    recipe = find_recipe(root, name)
    if not force:
        _refuse_own_changes(root, recipe.stem, classes)
    values = recipe_values(root, name, classes)
    check_sections(classes, values, recipe)
    write_params(root / PARAMS, classes, values, read_head(recipe))


def own_changes(root: Path, classes: Mapping[str, type]) -> list[str]:
    """Return the values of params.yaml that are in no recipe and not in git's last commit, one line per value.

    The lines are the differences from the recipe or the commit that has the fewest.

    Raises:
        ReidopsError: params.yaml is not readable as params.
    """
    values = read_sections(root / PARAMS)
    known = [recipe_values(root, name, classes) for name in list_recipes(root)]
    committed = _committed(root)
    if isinstance(committed, dict):
        known.append(committed)
    return min((describe_changes(other, values) for other in known), key=len)


def _refuse_own_changes(root: Path, recipe: str, classes: Mapping[str, type]) -> None:
    path = root / PARAMS
    if not path.is_file():
        return
    try:
        changes = own_changes(root, classes)
    except ReidopsError as error:  # a file that cannot be read counts as the user's own
        changes = [str(error)]
    if changes:
        raise ReidopsError(
            f"{path}: has values that are in no recipe and not in git's last commit, and they would be lost:\n  "
            + "\n  ".join(changes)
            + "\nexpected an unchanged file; commit it or copy it first, see what changes with "
            f"`reidops recipe {recipe} --diff`, or overwrite it with --force"
        )


def _committed(root: Path) -> Any:
    """Return what git's last commit holds as params.yaml; None without git or without that file."""
    try:
        shown = subprocess.run(["git", "-C", str(root), "show", f"HEAD:./{PARAMS}"], capture_output=True, check=True)
        return yaml.safe_load(shown.stdout)
    except (OSError, subprocess.CalledProcessError, yaml.YAMLError):
        return None


def _flatten(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value under its dotted name; an empty mapping is a value."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _shown(values: Mapping[str, Any], name: str) -> str:
    return format_value(values[name]) if name in values else _ABSENT
