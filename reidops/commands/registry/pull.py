"""The command `reidops registry pull`."""

import shutil
from pathlib import Path

import click

from reidops.commands.options import FOLDER
from reidops.commands.registry.options import NAME
from reidops.files import whole_folder
from reidops.registry.models import pull_model


@click.command()
@click.argument("version")
@click.argument("folder", type=FOLDER)
@NAME
def pull(version: str, folder: Path, name: str) -> None:
    """Write the files of VERSION, a number or an alias, to FOLDER, e.g. as the start of a training (train.weights).

    Example: reidops registry pull champion base
    """
    place = pull_model(f"models:/{name}/{version}" if version.isdecimal() else f"models:/{name}@{version}")
    with whole_folder(folder) as unfinished:
        for path in place.iterdir():
            shutil.copyfile(path, unfinished / path.name)
    click.echo(f"wrote {folder}; train.weights: {folder / 'model.safetensors'}")
