"""The command `reidops mot2reid`."""

from pathlib import Path
from typing import Any

import click

from reidops.commands.options import FOLDER
from reidops.mot2reid import Mot2ReidOptions
from reidops.mot2reid import mot2reid as convert


@click.command()
@click.option("-i", "--input", "source", type=FOLDER, required=True, help="Folder of a MOT data set, above train.")
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder to write: imgs and meta.")
@click.option("--val-split", type=click.FloatRange(0, 1), default=0.2, help="Share of the people in the val list.")
@click.option(
    "--vis-threshold", type=click.FloatRange(0, 1), default=0.3, help="Least visibility of a box that becomes a crop."
)
@click.option("--min-per-person", type=click.IntRange(1), default=8, help="People with fewer crops are left out.")
@click.option(
    "--max-per-person", type=click.IntRange(1), default=1000, help="Most crops of a person; of more, some are sampled."
)
def mot2reid(source: Path, output: Path, **options: Any) -> None:
    """Cut the people of a MOT data set into a folder per person, with lists of labels.

    The flags are those of mot2reid of mmtracking and mmdetection.

    Example: reidops mot2reid -i data/MOT17 -o data/MOT17/reid --val-split 0.2 --vis-threshold 0.3
    """
    click.echo(f"cut {convert(source, output, Mot2ReidOptions(**options)):,} crops to {output}")
