"""The errors that a user can cause and mend."""


class ReidopsError(Exception):
    """Say what was found where, what was expected, and what to do; shown without a traceback."""

    exit_code = 1


class Unreachable(ReidopsError):
    """A server did not answer: nothing is wrong with the data, and the same command may work later."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h; the flow retries on it
