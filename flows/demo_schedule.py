"""Run the graph once on a schedule with server, work pool, deployment and worker: `python -m flows.demo_schedule`.

The deployment is that of prefect.yaml with a schedule of every minute. The demo ends after the first scheduled run.
"""

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from flows.deployments import read_deployments
from flows.serve import HOST, standing_server
from reidops.errors import ReidopsError

logger = logging.getLogger(__name__)

POOL = "local-process"
EVERY_MINUTE = "* * * * *"


def prefect(*arguments: str) -> list[str]:
    """Return the command line of a Prefect command."""
    return [sys.executable, "-m", "prefect", *arguments]


@contextmanager
def deployed_worker() -> Iterator[None]:
    """Create the work pool, deploy prefect.yaml with a schedule of every minute, and run a worker."""
    subprocess.run(prefect("work-pool", "create", POOL, "--type", "process", "--overwrite"), check=True)
    subprocess.run(
        prefect("--no-prompt", "deploy", "--name", read_deployments()[0].name, "--cron", EVERY_MINUTE), check=True
    )
    worker = subprocess.Popen(prefect("worker", "start", "--pool", POOL))
    try:
        yield
    finally:
        worker.send_signal(signal.SIGINT)
        worker.wait()


def wait_for_run(api_url: str, limit_seconds: float) -> str:
    """Return the state type (COMPLETED, FAILED …) of the first finished run.

    Raises:
        ReidopsError: no run finished in time.
    """
    ended = {"any_": ["COMPLETED", "FAILED", "CRASHED"]}
    deadline = time.monotonic() + limit_seconds
    while time.monotonic() < deadline:
        runs = requests.post(
            f"{api_url}/flow_runs/filter", json={"flow_runs": {"state": {"type": ended}}, "limit": 1}, timeout=30
        ).json()
        if runs:
            logger.info(
                "run %s, due %s, ended %s", runs[0]["name"], runs[0]["expected_start_time"], runs[0]["state_type"]
            )
            return runs[0]["state_type"]
        time.sleep(2)
    raise ReidopsError(f"no scheduled run ended within {limit_seconds:g} s; increase --limit-seconds")


def main() -> None:
    """Run the demo with its own server and database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4210)
    parser.add_argument("--limit-seconds", type=float, default=3600, help="time limit of the first scheduled run")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname).1s %(name)s: %(message)s")
    os.environ["PREFECT_HOME"] = os.path.abspath(".prefect/demo")
    try:
        with standing_server(HOST, arguments.port) as url:
            os.environ["PREFECT_API_URL"] = url
            with deployed_worker():
                state = wait_for_run(url, arguments.limit_seconds)
    except ReidopsError as error:
        sys.exit(str(error))
    sys.exit(0 if state == "COMPLETED" else f"the scheduled run ended {state}")


if __name__ == "__main__":
    main()
