"""The command `reidops params`."""

from pathlib import Path

import click
from rich.console import Console

from reidops.commands.options import ROOT
from reidops.params import read_sections
from reidops.params_file import rewrite_params
from reidops.params_reference import find_entries, reference_table
from reidops.recipes import DEFAULT, PARAMS, find_recipe
from reidops.repository import load_sections


@click.command()
@click.argument("section", required=False)
@click.option(
    "--write", is_flag=True, help="Write the remarks of params.yaml again, and add params that are missing in it."
)
@ROOT
def params(section: str | None, write: bool, root: Path) -> None:
    """Print the reference of all params, or of one SECTION of params.yaml.

    A table has the name, the type and range, the value in params.yaml, and the description.

    Example: reidops params train
    """
    classes = load_sections(root)
    if write:
        _write_remarks(root, classes)
    else:
        _print_reference(root / PARAMS, classes, section)


def _write_remarks(root: Path, classes: dict[str, type]) -> None:
    added = rewrite_params(root / PARAMS, classes, read_sections(find_recipe(root, DEFAULT)))
    for name in added:
        click.echo(f"added {name} with its default value")
    click.echo(f"wrote the remarks of {root / PARAMS}")


def _print_reference(path: Path, classes: dict[str, type], section: str | None) -> None:
    console = Console()
    for name, entries in find_entries(classes, read_sections(path), section).items():
        console.print(reference_table(name, entries))
