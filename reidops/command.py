"""The command `reidops`: one subcommand per task. Heavy modules are imported inside the subcommands, so that `--help` is fast."""

import logging
import sys
from pathlib import Path

import click

from reidops.errors import ReidopsError

_FORWARD = {"ignore_unknown_options": True}
_INTERRUPTED = 130  # the exit code that shells use for a process that Ctrl-C ended


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="reidops")
def cli() -> None:
    """Train person re-identification models on multi-object tracking data, and use them."""


@cli.command(context_settings=_FORWARD, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def track(arguments: tuple[str, ...]) -> None:
    """Track the people of a video; write a result file and a video with boxes.

    `reidops track --help` lists the options, which are those of `python -m reidops.track`.
    """
    from reidops import track as tracking

    tracking.main(list(arguments), program="reidops track")


@cli.command()
@click.option("--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="Folder of the pipeline's outputs.")
def summary(data: Path) -> None:
    """Print the results of the last `dvc repro`: ReID figures, tracking arms, promotion, and where the pictures are."""
    from rich.console import Console

    from reidops.summary import render_summary

    Console(width=None if sys.stdout.isatty() else 120).print(render_summary(data))


@cli.command()
@click.argument("model")
@click.argument("images", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path),
    help="FILE.parquet (columns path, embedding) or FILE.npy (float32 [N, D]; the paths are in FILE.txt).",
)  # fmt: skip
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True, help="Crops per forward pass.")
def embed(model: str, images: Path, output: Path, batch_size: int) -> None:
    """Embed every picture below the folder IMAGES with MODEL.

    MODEL is the folder of a model (data/model) or a registered model (models:/person-reid@champion). Each row of the result is
    the unit embedding of one picture, in the order of the paths.
    """
    from reidops.embed_folder import embed_folder

    num = embed_folder(model, images, output, batch_size)
    click.echo(f"embedded {num:,} pictures of {images} into {output}")


@cli.command()
@click.argument("uri")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to download to; a temporary folder if not given.")
def pull(uri: str, output: Path | None) -> None:
    """Download a registered model, for example models:/person-reid@champion, and print the folder of its files."""
    from reidops.registry.models import pull_model

    click.echo(pull_model(uri, output))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: exit 1 with one message on bad input, 2 on bad usage, 130 on Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("reidops").setLevel(logging.INFO)
    try:
        cli.main(arguments, prog_name="reidops", standalone_mode=False)
    except ReidopsError as error:
        click.echo(f"reidops: error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(_INTERRUPTED)
