"""The log of a command that runs for long."""

import logging
import sys


def log_to_stderr() -> None:
    """Write the log to stderr: info and above of reidops, warnings and above of other packages."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("reidops").setLevel(logging.INFO)
