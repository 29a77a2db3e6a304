"""recipes/: list them, compare one with params.yaml, and write params.yaml from one."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reidops.errors import ReidopsError
from reidops.files import whole_file
from reidops.params import read_sections, say_near

FOLDER, PARAMS = "recipes", "params.yaml"
_SENTENCE_END = re.compile(r"(?<=\.)\s")
_ABSENT = "(absent)"


def list_recipes(root: Path) -> dict[str, Path]:
    """Return the recipes of a repository by name.

    Raises:
        ReidopsError: there is no folder of recipes, or it is empty.
    """
    folder = root / FOLDER
    if not folder.is_dir():
        raise ReidopsError(
            f"{folder}: no such folder; expected the repository's recipes; change to its root, or give --root FOLDER"
        )
    found = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if not found:
        raise ReidopsError(f"{folder}: holds no *.yaml; expected the repository's recipes; take the repository whole")
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
    """Return the first sentence of the comment at a recipe's head, "" where it has none."""
    head: list[str] = []
    for line in recipe.read_text().splitlines():
        if not line.startswith("#"):
            break
        head.append(line.lstrip("# ").rstrip())
    return _SENTENCE_END.split(" ".join(head))[0]


def describe_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return one line per value that differs: `train.backbone: resnet10t → resnet50`."""
    old, new = dict(_flatten(before)), dict(_flatten(after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        f"{name}: {_shown(old, name)} → {_shown(new, name)}" for name in names if _shown(old, name) != _shown(new, name)
    ]


def recipe_changes(root: Path, name: str) -> list[str]:
    """Return what a recipe would change in params.yaml; every value where there is no params.yaml.

    Raises:
        ReidopsError: there is no such recipe, or a file is not readable as params.
    """
    path = root / PARAMS
    return describe_changes(read_sections(path) if path.is_file() else {}, read_sections(find_recipe(root, name)))


def write_recipe(root: Path, name: str, *, force: bool = False) -> None:
    """Write params.yaml from a recipe.

    Args:
        force: overwrite values of the user's own, too.

    Raises:
        ReidopsError: there is no such recipe, or params.yaml has values of the user's own.
    """
    recipe = find_recipe(root, name)
    path = root / PARAMS
    if path.is_file() and not force and not _is_known(root):
        raise ReidopsError(
            f"{path}: has values that are in no recipe and not in git's last commit, and they would be lost; expected "
            f"an unchanged file;"
            f" commit it or copy it first, see what changes with `reidops recipe {recipe.stem} --diff`, or overwrite "
            f"it with --force"
        )
    with whole_file(path) as partial:
        partial.write_bytes(recipe.read_bytes())


def _is_known(root: Path) -> bool:
    """Return whether the values of params.yaml can be restored from a recipe or from git's last commit."""
    try:
        values = read_sections(root / PARAMS)
    except ReidopsError:  # a file that cannot be read counts as the user's own
        return False
    return values == _committed(root) or any(values == read_sections(recipe) for recipe in list_recipes(root).values())


def _committed(root: Path) -> Any:
    """Return what git's last commit holds as params.yaml; None without git or without that file."""
    try:
        shown = subprocess.run(["git", "-C", str(root), "show", f"HEAD:./{PARAMS}"], capture_output=True, check=True)
        return yaml.safe_load(shown.stdout)
    except (OSError, subprocess.CalledProcessError, yaml.YAMLError):
        return None


def _flatten(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value under its dotted name; an empty mapping is a value."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _shown(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return _ABSENT
    return (
        yaml.safe_dump(values[name], default_flow_style=True, allow_unicode=True, width=float("inf"))
        .removesuffix("...\n")
        .strip()
    )
