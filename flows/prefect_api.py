"""Check that the configured Prefect server responds."""

import requests
from prefect.settings import PREFECT_API_URL

from reidops.errors import ReidopsError, Unreachable

_PATIENCE_SECONDS = 10  # a server on a busy machine takes seconds


def answers(url: str) -> bool:
    """Return whether a Prefect server responds at the address of its API."""
    try:
        return requests.get(f"{url.rstrip('/')}/health", timeout=_PATIENCE_SECONDS).ok
    except (requests.RequestException, ValueError):
        return False


def check_named_server() -> str | None:
    """Return the address in PREFECT_API_URL, the profile or prefect.toml, None if there is none.

    Raises:
        ReidopsError: the address is invalid.
        Unreachable: no server responds at the address.
    """
    url = PREFECT_API_URL.value()
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise ReidopsError(f"PREFECT_API_URL is {url!r}, expected an address like http://127.0.0.1:4200/api")
    if not answers(url):
        raise Unreachable(
            f"PREFECT_API_URL is {url}, and no Prefect server responds there; start it (`prefect server start`), "
            "correct the address (it ends in /api), or unset the variable to run without a server"
        )
    return url
