"""The command `reidops submission`."""

import click

from reidops.submission import main


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def submission(arguments: tuple[str, ...]) -> None:
    """Track a MOTChallenge test set and write the zip that its server takes."""
    main(list(arguments))
