"""The command `reidops pull`."""

from pathlib import Path

import click

from reidops.commands.options import FOLDER
from reidops.registry.models import pull_model


@click.command()
@click.argument("uri")
@click.option("--output", type=FOLDER, help="Folder to put the model's files in.  [default: a temporary folder]")
def pull(uri: str, output: Path | None) -> None:
    """Download the registered model URI and print the folder of its files.

    The registry is MLFLOW_TRACKING_URI, or else mlflow.db of the repository.

    Example: reidops pull models:/person-reid@champion --output model
    """
    click.echo(pull_model(uri, output))
