"""The commands `reidops registry list` and `compare`."""

from pathlib import Path

import click
from rich.console import Console

from reidops.commands.options import FILE
from reidops.commands.registry.options import NAME
from reidops.registry.overview import comparison_table, versions_table, write_comparison
from reidops.registry.store import open_store


@click.command("list")
@NAME
def list_versions(name: str) -> None:
    """List the versions with their aliases, scores and last change.

    Example: reidops registry list
    """
    with open_store(must_exist=True) as client:
        Console(width=None if Console().is_terminal else 140).print(versions_table(client, name))


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--html", type=FILE, help="Write both model cards side by side.")
@NAME
def compare(first: str, second: str, html: Path | None, name: str) -> None:
    """Print the figures in which the versions FIRST and SECOND differ.

    Example: reidops registry compare 1 2 --html compare.html
    """
    with open_store(must_exist=True) as client:
        Console(width=None if Console().is_terminal else 140).print(comparison_table(client, name, first, second))
        if html is not None:
            write_comparison(client, name, (first, second), html)
            click.echo(f"wrote {html}")
