"""The command `reidops track`."""

import click

from reidops.track import main


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def track(arguments: tuple[str, ...]) -> None:
    """Track the people of a video; write a video and a result file."""
    main(list(arguments), "reidops track")
