"""Errors of requests, each with its HTTP status."""


class Refused(Exception):
    """A request that is answered with a status and a message of one sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Busy(Refused):
    """The service has no room; the same request may succeed later."""

    def __init__(self, message: str) -> None:
        super().__init__(503, message)
