"""Send a notification to a webhook or to a Prefect notification block, on failure, drift and promotion."""

from dataclasses import dataclass
from typing import Literal

import requests
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.logging import get_run_logger

from reidops.errors import ReidopsError

Event = Literal["failure", "drift", "promotion"]
_SECONDS = 10.0


@dataclass(frozen=True)
class Notification:
    """What happened, a line about it and the details."""

    event: Event
    subject: str
    text: str


def load_block(name: str) -> NotificationBlock:
    """Return a notification block of the Prefect server by TYPE/NAME, e.g. slack-webhook/team.

    Raises:
        ReidopsError: there is no such block, or it sends no notifications.
    """
    try:
        block = Block.load(name)
    except ValueError as error:
        raise ReidopsError(f"notify: {name}: {error}; `prefect block ls` lists the blocks") from None
    if not isinstance(block, NotificationBlock):
        raise ReidopsError(f"notify: {name} is a {type(block).__name__}, which sends no notifications")
    return block


def send_notification(target: str, notification: Notification) -> None:
    """Send a notification; a failure is logged as a warning and stops no flow.

    Args:
        target: an address http(s)://…, which gets JSON with `event`, `subject` and `text` (chat services show `text`);
            or a notification block, TYPE/NAME; "" = no notification.
        notification: what is sent.
    """
    if not target:
        return
    try:
        _send(target, notification)
    except (ReidopsError, requests.RequestException, OSError, ValueError) as error:
        get_run_logger().warning("the notification about the %s was not sent: %s", notification.event, _reason(error))


def _reason(error: Exception) -> str:
    """Return the error in one line; that of a webhook without its address, which can contain a secret."""
    if isinstance(error, requests.RequestException):
        return type(error).__name__ if error.response is None else f"HTTP {error.response.status_code}"
    return " ".join(str(error).split())


def _send(target: str, notification: Notification) -> None:
    if not target.startswith(("http://", "https://")):
        load_block(target).notify(notification.text, notification.subject)
        return
    text = f"{notification.subject}\n{notification.text}"
    body = {"event": notification.event, "subject": notification.subject, "text": text}
    requests.post(target, json=body, timeout=_SECONDS).raise_for_status()
