"""The command `reidops drift`."""

import sys
from pathlib import Path

import click

from reidops.commands.options import FOLDER
from reidops.commands.stderr_log import log_to_stderr
from reidops.drift.check import IS_DRIFT, check_drift
from reidops.drift.report import describe


@click.command()
@click.argument("sequences", nargs=-1, required=True, type=FOLDER)
@click.option("--model", default="models:/person-reid@champion", help="models:/NAME@ALIAS, or a folder of `export`.")
@click.option("--output", type=FOLDER, default=Path("data/drift"), help="Folder of drift.json and drift.html.")
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    help="Probability that scenes of the same kind are reported as drift.",
)
@click.option("--experiment", default="drift", help="Experiment of MLflow for the comparison; empty = not logged.")
def drift(sequences: tuple[Path, ...], model: str, output: Path, alpha: float, experiment: str) -> None:
    """Compare SEQUENCES with the drift reference of a model: sizes, light, colour, detector, embeddings, gate margins.

    SEQUENCES are folders in MOTChallenge's layout with det/det.txt, data sets of such folders, or the folder of
    `reidops serve --sample-log`. The exit code is 0 without drift, 3 with drift, 1 on an error.

    Example: reidops drift new/train/street-7 --model models:/person-reid@champion
    """
    log_to_stderr()
    comparison = check_drift(sequences, model, output, alpha=alpha, experiment=experiment or None)
    click.echo(describe(comparison))
    sys.exit(IS_DRIFT if comparison.is_drift else 0)
