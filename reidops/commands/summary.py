"""The command `reidops summary`."""

from pathlib import Path

import click

from reidops.commands.options import FOLDER
from reidops.summary import print_summary


@click.command()
@click.option("--data", type=FOLDER, default=Path("data"), help="Folder of the pipeline's results.")
def summary(data: Path) -> None:
    """Print the results of a finished pipeline on one screen.

    Example: reidops summary --data data
    """
    print_summary(data)
