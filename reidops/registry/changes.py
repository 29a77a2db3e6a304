"""Move the aliases of a registered model, and record who did it, when and why.

Each change leaves three tags on the version: `<change>.who`, `.when` and `.why`. The tag `champion.history` of the
registered model holds all champions in order, so that `roll_back` finds the previous one. The alias `frozen` is a
person's veto: no promotion happens while it exists.
"""

import getpass
import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import mlflow

from reidops.errors import ReidopsError
from reidops.registry.store import find_aliases

Action = Literal["promoted", "rolled_back", "frozen", "unfrozen"]
CHALLENGER, CHAMPION, FROZEN = "challenger", "champion", "frozen"
HISTORY = "champion.history"
_MOST_LETTERS = 500  # of a reason in a tag; version.json has the whole reason


@dataclass(frozen=True)
class Actor:
    """Who changes something, and why."""

    who: str
    why: str


def this_user(why: str) -> Actor:
    """Return the user of this process as the actor."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container without an entry for the user
        user = "unknown"
    return Actor(f"{user}@{socket.gethostname()}", why)


def crown(client: mlflow.MlflowClient, name: str, version: str, actor: Actor) -> None:
    """Make a version the champion; a rollback that concerned it is forgotten."""
    before = find_aliases(client, name).get(CHAMPION)
    past = read_history(client, name) or ([before] if before else [])  # a champion of an earlier version of reidops
    client.set_registered_model_alias(name, CHAMPION, version)
    _forget(client, name, version, "rolled_back")
    _record(client, name, version, "promoted", actor)
    if past[-1:] != [version]:
        _write_history(client, name, [*past, version])


def promote_by_hand(client: mlflow.MlflowClient, name: str, version: str, actor: Actor) -> None:
    """Make a version the champion at a person's request.

    Raises:
        ReidopsError: there is no such version, or the champion is frozen.
    """
    check_version(client, name, version)
    frozen = find_aliases(client, name).get(FROZEN)
    if frozen is not None and frozen != version:
        raise ReidopsError(_frozen_text(client, name, frozen))
    crown(client, name, version, actor)


def roll_back(client: mlflow.MlflowClient, name: str, actor: Actor) -> str:
    """Make the previous champion the champion again and return its version.

    The pipeline does not promote the version that was rolled back again.

    Raises:
        ReidopsError: there is no champion or no previous one, or the champion is frozen.
    """
    aliases, past = find_aliases(client, name), read_history(client, name)
    if FROZEN in aliases:
        raise ReidopsError(_frozen_text(client, name, aliases[FROZEN]))
    champion = aliases.get(CHAMPION)
    if champion is None:
        raise ReidopsError(f"{name} has no champion; `reidops registry promote VERSION` makes one")
    before = past[: len(past) - past[::-1].index(champion) - 1] if champion in past else past
    if not before:
        raise ReidopsError(f"{name}: version {champion} is the first champion; there is none to go back to")
    check_version(client, name, before[-1])
    client.set_registered_model_alias(name, CHAMPION, before[-1])
    _record(client, name, champion, "rolled_back", actor)
    _write_history(client, name, before)
    return before[-1]


def freeze(client: mlflow.MlflowClient, name: str, version: str | None, actor: Actor) -> str:
    """Set the alias `frozen` on a version, by default the champion, and return the version.

    Raises:
        ReidopsError: there is no such version, or no champion.
    """
    wanted = version or find_aliases(client, name).get(CHAMPION)
    if wanted is None:
        raise ReidopsError(f"{name} has no champion to freeze; name a version")
    check_version(client, name, wanted)
    client.set_registered_model_alias(name, FROZEN, wanted)
    _record(client, name, wanted, "frozen", actor)
    return wanted


def unfreeze(client: mlflow.MlflowClient, name: str, actor: Actor) -> str:
    """Remove the alias `frozen` and return the version that had it.

    Raises:
        ReidopsError: no version is frozen.
    """
    frozen = find_aliases(client, name).get(FROZEN)
    if frozen is None:
        raise ReidopsError(f"{name}: no version is frozen")
    client.delete_registered_model_alias(name, FROZEN)
    _record(client, name, frozen, "unfrozen", actor)
    return frozen


def find_veto(client: mlflow.MlflowClient, name: str, version: str) -> str | None:
    """Return why the pipeline may not make a version the champion, or None.

    Reasons are the alias `frozen`, a rollback of this version, and an alias that was moved away from it by hand.
    """
    aliases = find_aliases(client, name)
    champion, frozen = aliases.get(CHAMPION), aliases.get(FROZEN)
    if champion == version:
        return None
    if frozen is not None:
        return _frozen_text(client, name, frozen)
    remedy = f"`reidops registry promote {version}` makes it the champion again"
    tags = client.get_model_version(name, version).tags
    if "rolled_back.when" in tags:
        return f"version {version} was rolled back {_change_text(tags, 'rolled_back')}; {remedy}"
    if read_history(client, name)[-1:] == [version]:
        other = "removed" if champion is None else f"moved to version {champion}"
        return f"version {version} was the champion, and the alias was {other} by hand; {remedy}"
    return None


def read_history(client: mlflow.MlflowClient, name: str) -> list[str]:
    """Return the versions that became champion, in order, without those that were rolled back."""
    return list(json.loads(client.get_registered_model(name).tags.get(HISTORY, "[]")))


def check_version(client: mlflow.MlflowClient, name: str, version: str) -> None:
    """Check that a version exists.

    Raises:
        ReidopsError: it does not; the message has the versions that exist.
    """
    known = sorted((str(found.version) for found in client.search_model_versions(f"name = '{name}'")), key=int)
    if version not in known:
        raise ReidopsError(f"{name} has no version {version}; it has {', '.join(known) or 'none'}")


def _write_history(client: mlflow.MlflowClient, name: str, versions: list[str]) -> None:
    client.set_registered_model_tag(name, HISTORY, json.dumps(versions))


def _record(client: mlflow.MlflowClient, name: str, version: str, action: Action, actor: Actor) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for tag, value in (("who", actor.who), ("when", now), ("why", actor.why[:_MOST_LETTERS] or "no reason given")):
        client.set_model_version_tag(name, version, f"{action}.{tag}", value)


def _forget(client: mlflow.MlflowClient, name: str, version: str, action: Action) -> None:
    for tag in list(client.get_model_version(name, version).tags):
        if tag.startswith(f"{action}."):
            client.delete_model_version_tag(name, version, tag)


def _frozen_text(client: mlflow.MlflowClient, name: str, version: str) -> str:
    tags = client.get_model_version(name, version).tags
    return f"version {version} is frozen {_change_text(tags, 'frozen')}; `reidops registry unfreeze` allows promotions"


def _change_text(tags: dict[str, str], action: Action) -> str:
    """Return who did a change, when and why; aliases that were set elsewhere have no such tags."""
    if f"{action}.when" not in tags:
        return "by an alias that was set by hand"
    return f"by {tags[f'{action}.who']} on {tags[f'{action}.when']} ({tags[f'{action}.why']})"
