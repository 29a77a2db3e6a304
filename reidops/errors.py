"""The error that a user can cause and mend."""


class ReidopsError(Exception):
    """Say what was found where, what was expected, and what to do; shown without a traceback."""
