"""The command `reidops recipe`."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reidops.commands.options import ROOT
from reidops.recipes import PARAMS, first_sentence, list_recipes, recipe_changes, write_recipe
from reidops.repository import load_sections


@click.command()
@click.argument("name", required=False)
@click.option("--diff", is_flag=True, help="Print what would change, one line per value, and write nothing.")
@click.option("--force", is_flag=True, help="Overwrite a params.yaml that has values of your own.")
@ROOT
def recipe(name: str | None, diff: bool, force: bool, root: Path) -> None:
    """List the recipes, or write params.yaml from the recipe NAME.

    A recipe holds what differs from recipes/default.yaml. A params.yaml is overwritten only if its values are those of
    a recipe or of git's last commit.

    Example: reidops recipe bot-resnet50 --diff
    """
    if name is None:
        _print_recipes(root)
    elif diff:
        changes = recipe_changes(root, name, load_sections(root))
        click.echo("\n".join(changes) or f"{PARAMS} has these values already")
    else:
        write_recipe(root, name, load_sections(root), force=force)
        click.echo(f"wrote {root / PARAMS} from the recipe {name.removesuffix('.yaml')}; run it with `dvc repro`")


def _print_recipes(root: Path) -> None:
    table = Table("recipe", "what it does", box=None, pad_edge=False)
    for name, path in list_recipes(root).items():
        table.add_row(Text(name, no_wrap=True), Text(first_sentence(path)))
    Console().print(table)
