"""The command `reidops train-linking`."""

from pathlib import Path

import click

from reidops.commands.options import FILE, FOLDER
from reidops.commands.stderr_log import log_to_stderr
from reidops.cores import share_cores
from reidops.tracking.tuning.link_training import LinkTraining, draw_scenes, read_scene, write_weights
from reidops.tracking.tuning.link_training import train_linking as train


@click.command("train-linking")
@click.argument("sequences", nargs=-1, type=FOLDER)
@click.option("--streets", type=click.IntRange(min=0), default=60, help="Number of drawn streets to train on, as well.")
@click.option("--seed", type=click.IntRange(min=0), default=1000, help="Seed of the streets and of the training.")
@click.option("--output", type=FILE, required=True, help="The weights file to write, .npz.")
def train_linking(sequences: tuple[Path, ...], streets: int, seed: int, output: Path) -> None:
    """Train the network that links tracks (evaluate_tracking.linking: aflink).

    It learns from the ground truth of drawn streets and of SEQUENCES, folders in MOTChallenge's layout. Name training
    scenes only.

    Example: reidops train-linking data/raw/synthetic/train/SYN-01-SDP --output linking.npz
    """
    log_to_stderr()
    share_cores()
    scenes = draw_scenes(streets, seed) + [read_scene(folder) for folder in sequences]
    write_weights(train(scenes, LinkTraining(seed=seed)), output)
    click.echo(f"trained on {len(scenes)} scenes; wrote {output}")
