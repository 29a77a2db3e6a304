"""Errors that users can correct."""


class ReidopsError(Exception):
    """An error whose message gives the place, the finding, the expectation and the remedy; shown without traceback."""

    exit_code = 1


class Unreachable(ReidopsError):
    """A server did not answer; the data are not at fault, and the same command may succeed later."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h; the flow retries on it
