"""The command `reidops embed`."""

from pathlib import Path

import click

from reidops.commands.options import FILE, FOLDER
from reidops.commands.stderr_log import log_to_stderr
from reidops.cores import share_cores
from reidops.embed_folder import embed_folder

_OUTPUT = "FILE.parquet (columns path, embedding), or FILE.npy (float32 [n, dim]) with FILE.txt of the paths beside it."


@click.command()
@click.argument("model")
@click.argument("images", type=FOLDER)
@click.option("--output", type=FILE, required=True, help=_OUTPUT)
def embed(model: str, images: Path, output: Path) -> None:
    """Embed all pictures in the folder IMAGES, and in those below it, with MODEL.

    MODEL is a folder, models:/NAME@ALIAS, or a model.onnx. Each picture shows one person. The paths in the output are
    relative to IMAGES and sorted. One broken picture ends the command, and nothing is written.

    Example: reidops embed models:/person-reid@champion crops --output crops.parquet
    """
    log_to_stderr()
    share_cores()
    click.echo(f"embedded {embed_folder(model, images, output):,} pictures into {output}")
