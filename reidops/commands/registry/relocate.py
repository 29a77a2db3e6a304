"""The command `reidops registry relocate`."""

import click

from reidops.errors import ReidopsError
from reidops.registry.address import sqlite_file, tracking_uri, without_password
from reidops.registry.places import relocate as relocate_store


@click.command()
def relocate() -> None:
    """Let the MLflow store in mlflow.db find its artifacts after the repository was moved or copied.

    MLflow keeps absolute addresses. Those below the old mlartifacts become addresses of the folder beside mlflow.db. A
    copy of the file as it was stays beside it.

    Example: reidops registry relocate
    """
    file = sqlite_file(tracking_uri())
    if file is None:
        raise ReidopsError(f"{without_password(tracking_uri())} is a server's store; only an sqlite file is relocated")
    click.echo(f"{file}: {relocate_store(file)} addresses of artifacts now name the folder beside it")
