"""Put the flow on its schedule and run it when it is due: `python -m flows.serve`, until Ctrl-C.

Name, cron and concurrency limit come from prefect.yaml. Without PREFECT_API_URL a server is started here, with its UI.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import yaml
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.retrain import retrain
from reidops.errors import ReidopsError

HOST, PORT = "127.0.0.1", 4200
STARTUP_SECONDS = 120


@dataclass(frozen=True)
class Deployment:
    """One deployment of prefect.yaml."""

    name: str
    schedules: list[CronSchedule]
    limit: ConcurrencyLimitConfig


def read_deployment(path: Path = Path("prefect.yaml")) -> Deployment:
    """Return the first deployment of a prefect.yaml."""
    entry = yaml.safe_load(path.read_text())["deployments"][0]
    schedules = [CronSchedule(cron=row["cron"], timezone=row.get("timezone")) for row in entry["schedules"]]
    return Deployment(entry["name"], schedules, ConcurrencyLimitConfig(**entry["concurrency_limit"]))


def serve(deployment: Deployment) -> None:
    """Serve the flow on the deployment's schedules; comes back when it is interrupted."""
    retrain.serve(name=deployment.name, schedules=deployment.schedules, global_limit=deployment.limit)


@contextmanager
def standing_server(host: str = HOST, port: int = PORT) -> Iterator[str]:
    """Yield the address of a server's API: one that answers at this address, else one that is started for the block.

    Raises:
        ReidopsError: the server does not come up.
    """
    url = f"http://{host}:{port}/api"
    server = None if _answers(url) else _start_server(host, port)
    try:
        if server is not None:
            _wait_for(url, server)
        yield url
    finally:
        if server is not None:
            server.terminate()
            server.wait()


def _start_server(host: str, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", str(port)])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > deadline:
            raise ReidopsError(
                f"no Prefect server came up at {url}; see its messages above, or name another by PREFECT_API_URL"
            )
        time.sleep(0.5)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=2).ok
    except requests.RequestException:
        return False


def main() -> None:
    """Serve until Ctrl-C."""
    try:
        if PREFECT_API_URL.value():
            serve(read_deployment())
            return
        with standing_server() as url, temporary_settings({PREFECT_API_URL: url}):
            os.environ["PREFECT_API_URL"] = url  # for the processes of the runs
            serve(read_deployment())
    except ReidopsError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
