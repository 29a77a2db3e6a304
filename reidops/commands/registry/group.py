"""The group `reidops registry`: list versions, move the aliases, compare versions, mend the store."""

import click

from reidops.lazy_group import LazyCommand, LazyGroup

_ROOM = "reidops.commands.registry"
_COMMANDS = {
    "list": LazyCommand(
        f"{_ROOM}.versions", "list_versions", "List the versions with their aliases, scores and last change."
    ),
    "promote": LazyCommand(f"{_ROOM}.aliases", "promote", "Make VERSION the champion, whatever its scores."),
    "rollback": LazyCommand(f"{_ROOM}.aliases", "rollback", "Make the previous champion the champion again."),
    "freeze": LazyCommand(f"{_ROOM}.aliases", "freeze", "Forbid promotions until `unfreeze`."),
    "unfreeze": LazyCommand(f"{_ROOM}.aliases", "unfreeze", "Allow promotions again."),
    "pull": LazyCommand(
        f"{_ROOM}.pull",
        "pull",
        "Write the files of VERSION, a number or an alias, to FOLDER, e.g. as the start of a training (train.weights).",
    ),
    "compare": LazyCommand(
        f"{_ROOM}.versions", "compare", "Print the figures in which the versions FIRST and SECOND differ."
    ),
    "relocate": LazyCommand(
        f"{_ROOM}.relocate",
        "relocate",
        "Let the MLflow store in mlflow.db find its artifacts after the repository was moved or copied.",
    ),
}


@click.group(cls=LazyGroup, lazy_commands=_COMMANDS)
def registry() -> None:
    """List, promote, compare and freeze the versions of a registered model.

    The registry is MLFLOW_TRACKING_URI, or else mlflow.db of the repository. Each change of an alias leaves who, when
    and why as tags of the version.

    Example: reidops registry list
    """
