"""Types and options that several commands share."""

from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
ROOT = click.option("--root", type=FOLDER, default=Path("."), help="Root folder of the repository.")
