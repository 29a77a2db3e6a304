"""The command line `reidops`. Each command imports what it needs when it runs, so that `--help` does not import
torch.
"""

import logging
import sys
from pathlib import Path
from typing import Any

import click

from reidops.errors import ReidopsError
from reidops.registry_command import registry

_INTERRUPTED = 130  # the exit code of shells for a program that Ctrl-C ended
_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_ROOT = click.option("--root", type=_FOLDER, default=Path("."), help="Root folder of the repository.")
_EMBED_OUTPUT = (
    "FILE.parquet (columns path, embedding), or FILE.npy (float32 [n, dim]) with FILE.txt of the paths beside it."
)

_ALPHA = "Probability that scenes of the same kind are reported as drift."


class _Commands(click.Group):
    """A group whose commands end with one clear message on an error that a user can correct."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a ReidopsError gives its exit code, Ctrl-C gives 130."""
        try:
            return super().invoke(ctx)
        except ReidopsError as error:
            click.echo(f"reidops {ctx.invoked_subcommand}: error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
def main() -> None:
    """Train, register and use person re-identification models.

    `reidops COMMAND --help` explains a command. The pipeline itself runs with `dvc repro`.
    """


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def track(arguments: tuple[str, ...]) -> None:
    """Track the people of a video; write a video and a result file."""
    from reidops.track import main as track_video

    track_video(list(arguments), "reidops track")


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def submission(arguments: tuple[str, ...]) -> None:
    """Track a MOTChallenge test set and write the zip that its server takes."""
    from reidops.submission import main as write_submission

    write_submission(list(arguments))


@main.command()
@click.option("-i", "--input", "source", type=_FOLDER, required=True, help="Folder of a MOT data set, above train.")
@click.option("-o", "--output", type=_FOLDER, required=True, help="Folder to write: imgs and meta.")
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
    from reidops.mot2reid import Mot2ReidOptions
    from reidops.mot2reid import mot2reid as convert

    click.echo(f"cut {convert(source, output, Mot2ReidOptions(**options)):,} crops to {output}")


@main.command()
@click.option("--data", type=_FOLDER, default=Path("data"), help="Folder of the pipeline's results.")
def summary(data: Path) -> None:
    """Print the results of a finished pipeline on one screen.

    Example: reidops summary --data data
    """
    from reidops.summary import print_summary

    print_summary(data)


@main.command()
@click.argument("name", required=False)
@click.option("--diff", is_flag=True, help="Print what would change, one line per value, and write nothing.")
@click.option("--force", is_flag=True, help="Overwrite a params.yaml that has values of your own.")
@_ROOT
def recipe(name: str | None, diff: bool, force: bool, root: Path) -> None:
    """List the recipes, or write params.yaml from the recipe NAME.

    A recipe holds what differs from recipes/default.yaml. A params.yaml is overwritten only if its values are those of
    a recipe or of git's last commit.

    Example: reidops recipe bot-resnet50 --diff
    """
    from reidops import recipes
    from reidops.repository import load_sections

    if name is None:
        _print_recipes(root)
    elif diff:
        changes = recipes.recipe_changes(root, name, load_sections(root))
        click.echo("\n".join(changes) or f"{recipes.PARAMS} has these values already")
    else:
        recipes.write_recipe(root, name, load_sections(root), force=force)
        click.echo(
            f"wrote {root / recipes.PARAMS} from the recipe {name.removesuffix('.yaml')}; run it with `dvc repro`"
        )


def _print_recipes(root: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reidops.recipes import first_sentence, list_recipes

    table = Table("recipe", "what it does", box=None, pad_edge=False)
    for name, path in list_recipes(root).items():
        table.add_row(Text(name, no_wrap=True), Text(first_sentence(path)))
    Console().print(table)


@main.command()
@click.argument("section", required=False)
@click.option(
    "--write", is_flag=True, help="Write the remarks of params.yaml again, and add params that are missing in it."
)
@_ROOT
def params(section: str | None, write: bool, root: Path) -> None:
    """Print the reference of all params, or of one SECTION of params.yaml.

    A table has the name, the type and range, the value in params.yaml, and the description.

    Example: reidops params train
    """
    from reidops.recipes import PARAMS
    from reidops.repository import load_sections

    classes = load_sections(root)
    if write:
        _write_remarks(root, classes)
    else:
        _print_reference(root / PARAMS, classes, section)


def _write_remarks(root: Path, classes: dict[str, type]) -> None:
    from reidops.params import read_sections
    from reidops.params_file import rewrite_params
    from reidops.recipes import DEFAULT, PARAMS, find_recipe

    added = rewrite_params(root / PARAMS, classes, read_sections(find_recipe(root, DEFAULT)))
    for name in added:
        click.echo(f"added {name} with its default value")
    click.echo(f"wrote the remarks of {root / PARAMS}")


def _print_reference(path: Path, classes: dict[str, type], section: str | None) -> None:
    from rich.console import Console

    from reidops.params import read_sections
    from reidops.params_reference import find_entries, reference_table

    console = Console()
    for name, entries in find_entries(classes, read_sections(path), section).items():
        console.print(reference_table(name, entries))


@main.command()
@click.argument("model")
@click.argument("images", type=_FOLDER)
@click.option("--output", type=_FILE, required=True, help=_EMBED_OUTPUT)
def embed(model: str, images: Path, output: Path) -> None:
    """Embed all pictures in the folder IMAGES, and in those below it, with MODEL.

    MODEL is a folder, models:/NAME@ALIAS, or a model.onnx. Each picture shows one person. The paths in the output are
    relative to IMAGES and sorted. One broken picture ends the command, and nothing is written.

    Example: reidops embed models:/person-reid@champion crops --output crops.parquet
    """
    from reidops.cores import share_cores
    from reidops.embed_folder import embed_folder

    _log_to_stderr()
    share_cores()
    click.echo(f"embedded {embed_folder(model, images, output):,} pictures into {output}")


@main.command()
@click.argument("uri")
@click.option("--output", type=_FOLDER, help="Folder to put the model's files in.  [default: a temporary folder]")
def pull(uri: str, output: Path | None) -> None:
    """Download the registered model URI and print the folder of its files.

    The registry is MLFLOW_TRACKING_URI, or else mlflow.db of the repository.

    Example: reidops pull models:/person-reid@champion --output model
    """
    from reidops.registry.models import pull_model

    click.echo(pull_model(uri, output))


@main.command("train-linking")
@click.argument("sequences", nargs=-1, type=_FOLDER)
@click.option("--streets", type=click.IntRange(min=0), default=60, help="Number of drawn streets to train on, as well.")
@click.option("--seed", type=click.IntRange(min=0), default=1000, help="Seed of the streets and of the training.")
@click.option("--output", type=_FILE, required=True, help="The weights file to write, .npz.")
def train_linking(sequences: tuple[Path, ...], streets: int, seed: int, output: Path) -> None:
    """Train the network that links tracks (evaluate_tracking.linking: aflink).

    It learns from the ground truth of drawn streets and of SEQUENCES, folders in MOTChallenge's layout. Name training
    scenes only.

    Example: reidops train-linking data/raw/synthetic/train/SYN-01-SDP --output linking.npz
    """
    from reidops.cores import share_cores
    from reidops.tracking.tuning.link_training import (
        LinkTraining,
        draw_scenes,
        read_scene,
        train_linking,
        write_weights,
    )

    _log_to_stderr()
    share_cores()
    scenes = draw_scenes(streets, seed) + [read_scene(folder) for folder in sequences]
    write_weights(train_linking(scenes, LinkTraining(seed=seed)), output)
    click.echo(f"trained on {len(scenes)} scenes; wrote {output}")


@main.command()
@click.option("--model", default="models:/person-reid@champion", help="models:/NAME@ALIAS, or a folder of `export`.")
@click.option("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 = all.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000)
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of the network; 0 = one per core.")
@click.option("--max-body-mb", type=click.IntRange(1), default=32, help="Largest body of a request.")
@click.option("--max-pictures", type=click.IntRange(1), default=256, help="Most pictures or boxes of a request.")
@click.option("--max-pixels", type=click.IntRange(1), default=100_000_000, help="Most pixels of a request's pictures.")
@click.option(
    "--request-seconds", type=click.FloatRange(0, min_open=True), default=30.0, help="Most time of a request."
)
@click.option("--max-sessions", type=click.IntRange(1), default=64, help="Most cameras that are tracked at once.")
@click.option("--session-seconds", type=click.FloatRange(0, min_open=True), default=300.0, help="Silence of a camera.")
@click.option("--reload-seconds", type=click.FloatRange(0, min_open=True), default=10.0, help="Time between reloads.")
@click.option("--sample-log", type=_FOLDER, help="Folder for samples of the tracked frames, which `drift` reads.")
@click.option(
    "--sample-rate", type=click.FloatRange(0, 1, min_open=True), default=0.01, help="Share of frames sampled."
)
@click.option("--sample-mb", type=click.IntRange(1), default=100, help="Largest size of the log; the oldest go first.")
def serve(
    model: str,
    host: str,
    port: int,
    threads: int,
    max_body_mb: int,
    sample_log: Path | None,
    sample_rate: float,
    sample_mb: int,
    **limits: Any,
) -> None:
    """Answer embeddings of pictures and tracks of cameras over HTTP.

    POST /embed, POST and DELETE /track/CAMERA, GET /health and /metrics; docs/serving.md describes them. When the alias
    of the model moves to another version, that version is loaded without a dropped request.

    Example: reidops serve --model models:/person-reid@champion --port 8000
    """
    from reidops.service.sampling import SampleSettings
    from reidops.service.server import serve as run_service
    from reidops.service.settings import ServiceSettings

    _log_to_stderr()
    settings = ServiceSettings(max_body_bytes=max_body_mb << 20, **limits)
    samples = None if sample_log is None else SampleSettings(sample_log, sample_rate, sample_mb << 20)
    run_service(model, settings, host=host, port=port, threads=threads, samples=samples)


@main.command()
@click.argument("sequences", nargs=-1, required=True, type=_FOLDER)
@click.option("--model", default="models:/person-reid@champion", help="models:/NAME@ALIAS, or a folder of `export`.")
@click.option("--output", type=_FOLDER, default=Path("data/drift"), help="Folder of drift.json and drift.html.")
@click.option("--alpha", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, help=_ALPHA)
@click.option("--experiment", default="drift", help="Experiment of MLflow for the comparison; empty = not logged.")
def drift(sequences: tuple[Path, ...], model: str, output: Path, alpha: float, experiment: str) -> None:
    """Compare SEQUENCES with the drift reference of a model: sizes, light, colour, detector, embeddings, gate margins.

    SEQUENCES are folders in MOTChallenge's layout with det/det.txt, data sets of such folders, or the folder of
    `reidops serve --sample-log`. The exit code is 0 without drift, 3 with drift, 1 on an error.

    Example: reidops drift new/train/street-7 --model models:/person-reid@champion
    """
    from reidops.drift.check import IS_DRIFT, check_drift
    from reidops.drift.report import describe

    _log_to_stderr()
    comparison = check_drift(sequences, model, output, alpha=alpha, experiment=experiment or None)
    click.echo(describe(comparison))
    sys.exit(IS_DRIFT if comparison.is_drift else 0)


main.add_command(registry)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("reidops").setLevel(logging.INFO)
