"""Options that several commands of `reidops registry` share."""

import click

NAME = click.option("--name", default="person-reid", show_default=True, help="Name of the registered model.")
WHY = click.option("--why", default="", help="Reason, which is stored with the change.")
