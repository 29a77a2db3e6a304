"""The command line `reidops`: a group whose subcommands are in reidops/commands."""

import click

from reidops.errors import ReidopsError
from reidops.lazy_group import LazyCommand, LazyGroup

_INTERRUPTED = 130  # the exit code of shells for a program that Ctrl-C ended
_ROOM = "reidops.commands"
_COMMANDS = {
    "track": LazyCommand(f"{_ROOM}.track", "track", "Track the people of a video; write a video and a result file."),
    "submission": LazyCommand(
        f"{_ROOM}.submission", "submission", "Track a MOTChallenge test set and write the zip that its server takes."
    ),
    "mot2reid": LazyCommand(
        f"{_ROOM}.mot2reid",
        "mot2reid",
        "Cut the people of a MOT data set into a folder per person, with lists of labels.",
    ),
    "summary": LazyCommand(f"{_ROOM}.summary", "summary", "Print the results of a finished pipeline on one screen."),
    "recipe": LazyCommand(f"{_ROOM}.recipe", "recipe", "List the recipes, or write params.yaml from the recipe NAME."),
    "params": LazyCommand(
        f"{_ROOM}.params", "params", "Print the reference of all params, or of one SECTION of params.yaml."
    ),
    "embed": LazyCommand(
        f"{_ROOM}.embed", "embed", "Embed all pictures in the folder IMAGES, and in those below it, with MODEL."
    ),
    "pull": LazyCommand(
        f"{_ROOM}.pull", "pull", "Download the registered model URI and print the folder of its files."
    ),
    "train-linking": LazyCommand(
        f"{_ROOM}.train_linking",
        "train_linking",
        "Train the network that links tracks (evaluate_tracking.linking: aflink).",
    ),
    "serve": LazyCommand(
        f"{_ROOM}.serve", "serve", "Answer embeddings of pictures and tracks of cameras over HTTP.", extra="serve"
    ),
    "drift": LazyCommand(
        f"{_ROOM}.drift",
        "drift",
        "Compare SEQUENCES with the drift reference of a model: sizes, light, colour, detector, embeddings, gate "
        "margins.",
    ),
    "registry": LazyCommand(
        f"{_ROOM}.registry.group", "registry", "List, promote, compare and freeze the versions of a registered model."
    ),
}


class _Commands(LazyGroup):
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


@click.group(
    cls=_Commands,
    lazy_commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
def main() -> None:
    """Train, register and use person re-identification models.

    `reidops COMMAND --help` explains a command. The pipeline itself runs with `dvc repro`.
    """
