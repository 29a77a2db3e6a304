"""The commands `reidops registry …`: list versions, move the aliases, compare versions, mend the store."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from reidops.errors import ReidopsError

_NAME = click.option("--name", default="person-reid", show_default=True, help="Name of the registered model.")
_WHY = click.option("--why", default="", help="Reason, which is stored with the change.")


@click.group()
def registry() -> None:
    """List, promote, compare and freeze the versions of a registered model.

    The registry is MLFLOW_TRACKING_URI, or else mlflow.db of the repository. Each change of an alias leaves who, when
    and why as tags of the version.

    Example: reidops registry list
    """


@registry.command("list")
@_NAME
def list_versions(name: str) -> None:
    """List the versions with their aliases, scores and last change.

    Example: reidops registry list
    """
    from rich.console import Console

    from reidops.registry.overview import versions_table
    from reidops.registry.store import open_store

    with open_store(must_exist=True) as client:
        Console(width=None if Console().is_terminal else 140).print(versions_table(client, name))


@registry.command()
@click.argument("version")
@_WHY
@_NAME
def promote(version: str, why: str, name: str) -> None:
    """Make VERSION the champion, whatever its scores. A frozen champion stays.

    Example: reidops registry promote 3 --why "better on the new camera"
    """
    from reidops.registry.changes import promote_by_hand

    _change(lambda client, actor: promote_by_hand(client, name, version, actor), why)
    click.echo(f"{name} version {version} is the champion")


@registry.command()
@_WHY
@_NAME
def rollback(why: str, name: str) -> None:
    """Make the previous champion the champion again. The pipeline does not promote the rolled back version again.

    Example: reidops registry rollback --why "more identity switches in the lobby"
    """
    from reidops.registry.changes import roll_back

    version = _change(lambda client, actor: roll_back(client, name, actor), why)
    click.echo(f"{name} version {version} is the champion again")


@registry.command()
@click.argument("version", required=False)
@_WHY
@_NAME
def freeze(version: str | None, why: str, name: str) -> None:
    """Forbid promotions until `unfreeze`. VERSION, by default the champion, gets the alias `frozen`.

    Example: reidops registry freeze --why "audit until Friday"
    """
    from reidops.registry.changes import freeze as freeze_version

    frozen = _change(lambda client, actor: freeze_version(client, name, version, actor), why)
    click.echo(f"{name} version {frozen} is frozen; no version is promoted until `reidops registry unfreeze`")


@registry.command()
@_WHY
@_NAME
def unfreeze(why: str, name: str) -> None:
    """Allow promotions again.

    Example: reidops registry unfreeze
    """
    from reidops.registry.changes import unfreeze as unfreeze_version

    version = _change(lambda client, actor: unfreeze_version(client, name, actor), why)
    click.echo(f"{name} version {version} is not frozen any more; promotions are allowed")


@registry.command()
@click.argument("version")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_NAME
def pull(version: str, folder: Path, name: str) -> None:
    """Write the files of VERSION, a number or an alias, to FOLDER, e.g. as the start of a training (train.weights).

    Example: reidops registry pull champion base
    """
    from reidops.files import whole_folder
    from reidops.registry.models import pull_model

    place = pull_model(f"models:/{name}/{version}" if version.isdecimal() else f"models:/{name}@{version}")
    with whole_folder(folder) as unfinished:
        for path in place.iterdir():
            shutil.copyfile(path, unfinished / path.name)
    click.echo(f"wrote {folder}; train.weights: {folder / 'model.safetensors'}")


@registry.command()
@click.argument("first")
@click.argument("second")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write both model cards side by side.")
@_NAME
def compare(first: str, second: str, html: Path | None, name: str) -> None:
    """Print the figures in which the versions FIRST and SECOND differ.

    Example: reidops registry compare 1 2 --html compare.html
    """
    from rich.console import Console

    from reidops.registry.overview import comparison_table, write_comparison
    from reidops.registry.store import open_store

    with open_store(must_exist=True) as client:
        Console(width=None if Console().is_terminal else 140).print(comparison_table(client, name, first, second))
        if html is not None:
            write_comparison(client, name, (first, second), html)
            click.echo(f"wrote {html}")


@registry.command()
def relocate() -> None:
    """Let the MLflow store in mlflow.db find its artifacts after the repository was moved or copied.

    MLflow keeps absolute addresses. Those below the old mlartifacts become addresses of the folder beside mlflow.db. A
    copy of the file as it was stays beside it.

    Example: reidops registry relocate
    """
    from reidops.registry.address import sqlite_file, tracking_uri, without_password
    from reidops.registry.places import relocate as relocate_store

    file = sqlite_file(tracking_uri())
    if file is None:
        raise ReidopsError(f"{without_password(tracking_uri())} is a server's store; only an sqlite file is relocated")
    click.echo(f"{file}: {relocate_store(file)} addresses of artifacts now name the folder beside it")


def _change(change: Callable[[Any, Any], Any], why: str) -> Any:
    """Apply a change of an alias in the store, by this user."""
    from reidops.registry.changes import this_user
    from reidops.registry.store import open_store, store_lock

    with store_lock(), open_store(must_exist=True) as client:
        return change(client, this_user(why))
