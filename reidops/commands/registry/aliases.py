"""The commands of `reidops registry` that move an alias: promote, rollback, freeze and unfreeze."""

from collections.abc import Callable
from typing import Any

import click

from reidops.commands.registry.options import NAME, WHY
from reidops.registry.changes import freeze as freeze_version
from reidops.registry.changes import promote_by_hand, roll_back, this_user
from reidops.registry.changes import unfreeze as unfreeze_version
from reidops.registry.store import open_store, store_lock


@click.command()
@click.argument("version")
@WHY
@NAME
def promote(version: str, why: str, name: str) -> None:
    """Make VERSION the champion, whatever its scores. A frozen champion stays.

    Example: reidops registry promote 3 --why "better on the new camera"
    """
    _change(lambda client, actor: promote_by_hand(client, name, version, actor), why)
    click.echo(f"{name} version {version} is the champion")


@click.command()
@WHY
@NAME
def rollback(why: str, name: str) -> None:
    """Make the previous champion the champion again. The pipeline does not promote the rolled back version again.

    Example: reidops registry rollback --why "more identity switches in the lobby"
    """
    version = _change(lambda client, actor: roll_back(client, name, actor), why)
    click.echo(f"{name} version {version} is the champion again")


@click.command()
@click.argument("version", required=False)
@WHY
@NAME
def freeze(version: str | None, why: str, name: str) -> None:
    """Forbid promotions until `unfreeze`. VERSION, by default the champion, gets the alias `frozen`.

    Example: reidops registry freeze --why "audit until Friday"
    """
    frozen = _change(lambda client, actor: freeze_version(client, name, version, actor), why)
    click.echo(f"{name} version {frozen} is frozen; no version is promoted until `reidops registry unfreeze`")


@click.command()
@WHY
@NAME
def unfreeze(why: str, name: str) -> None:
    """Allow promotions again.

    Example: reidops registry unfreeze
    """
    version = _change(lambda client, actor: unfreeze_version(client, name, actor), why)
    click.echo(f"{name} version {version} is not frozen any more; promotions are allowed")


def _change(change: Callable[[Any, Any], Any], why: str) -> Any:
    """Apply a change of an alias in the store, by this user."""
    with store_lock(), open_store(must_exist=True) as client:
        return change(client, this_user(why))
