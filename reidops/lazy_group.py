"""A click group that imports the module of a subcommand when the subcommand is used."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True)
class LazyCommand:
    """Where a subcommand is defined, and its line in the help page of its group."""

    module: str
    function: str
    short_help: str  # the first sentence of the subcommand's docstring
    extra: str = ""  # the extra of the package that installs what the module imports


class LazyGroup(click.Group):
    """A group of subcommands whose modules are not imported by the help page of the group.

    Args:
        lazy_commands: the subcommands by name.
    """

    def __init__(self, *args: Any, lazy_commands: Mapping[str, LazyCommand], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy_commands = dict(lazy_commands)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands, sorted."""
        return sorted(self.lazy_commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a subcommand and return the subcommand; None for an unknown name.

        Raises:
            click.ClickException: the subcommand has an extra, and a package of it is not installed.
        """
        command = self.lazy_commands.get(cmd_name)
        if command is None:
            return None
        try:
            return getattr(importlib.import_module(command.module), command.function)
        except ModuleNotFoundError as error:
            if not command.extra:
                raise
            raise click.ClickException(
                f"`{cmd_name}` needs the package {error.name}; install it with pip install '.[{command.extra}]'"
            ) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line per subcommand, without importing its module."""
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))  # as click.Group does
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, _short_help(self.lazy_commands[name].short_help, limit)) for name in names],
            )


def _short_help(text: str, limit: int) -> str:
    """Return a help text in at most `limit` characters, shortened as click shortens docstrings."""
    return click.Command(None, help=text).get_short_help_str(limit)
