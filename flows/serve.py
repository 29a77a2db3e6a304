"""Serve the flows on their schedules until Ctrl-C: `python -m flows.serve`.

Names, schedules and limits come from prefect.yaml. Without PREFECT_API_URL a local server is started, with its UI.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import Flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.adapt import adapt
from flows.automations import crash_automation, start_automation, write_automation
from flows.backfill import backfill_models
from flows.deployments import ENTRYPOINTS, Deployment, read_deployments
from flows.drift import drift
from flows.prefect_api import answers, check_named_server
from flows.promote import promote
from flows.retrain import retrain
from reidops.errors import ReidopsError

HOST, PORT = "127.0.0.1", 4200
STARTUP_SECONDS = 600
FLOWS: dict[str, Flow] = dict(zip(ENTRYPOINTS, (retrain, drift, promote, backfill_models, adapt), strict=True))


def serve_all(deployments: list[Deployment]) -> None:
    """Serve the flows of all deployments until they are interrupted, and end runs whose process was killed."""
    write_automation(crash_automation(), keep_notification=True)
    write_automation(start_automation(), keep_notification=True)
    serve(*(runner_deployment(deployment) for deployment in deployments))


def runner_deployment(deployment: Deployment) -> RunnerDeployment:
    """Return a Prefect deployment of the flow of an entry."""
    return FLOWS[deployment.entrypoint].to_deployment(
        name=deployment.name,
        schedules=deployment.schedules,
        concurrency_limit=deployment.limit,
        description=deployment.description,
        version=deployment.version,
        tags=deployment.tags,
        parameters=deployment.parameters,
        paused=deployment.paused,
    )


@contextmanager
def standing_server(host: str = HOST, port: int = PORT) -> Iterator[str]:
    """Yield the address of a server's API; without a running server, one is started for the block.

    Raises:
        ReidopsError: the server does not start.
    """
    url = f"http://{host}:{port}/api"
    server = None if answers(url) else _start_server(host, port)
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
    while not answers(url):
        if server.poll() is not None or time.monotonic() > deadline:
            raise ReidopsError(
                f"no Prefect server started at {url}; see its messages above, or set PREFECT_API_URL to another server"
            )
        time.sleep(0.5)


def main() -> None:
    """Serve until Ctrl-C."""
    try:
        deployments = read_deployments()
        if check_named_server():
            serve_all(deployments)
            return
        with standing_server() as url, temporary_settings({PREFECT_API_URL: url}):
            os.environ["PREFECT_API_URL"] = url  # for the subprocesses of the runs
            serve_all(deployments)
    except ReidopsError as error:
        print(f"serve: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
