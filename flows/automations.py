"""Write the automations of this project to the Prefect server: `python -m flows.automations`.

`python -m flows.serve` does this itself. Run it once after `prefect deploy`, and again after a change of this file.
"""

import argparse
import sys
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.abstract import NotificationBlock
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture

from flows.notifications import load_block
from flows.prefect_api import check_named_server
from reidops.errors import ReidopsError

CRASH = "crash flow runs without a heartbeat"
HEARTBEAT = "prefect.flow-run.heartbeat"
HEARTBEAT_SECONDS = 30
"""Time between two heartbeats of a flow run, `flows.heartbeat_frequency` in prefect.toml; Prefect's least value."""
SILENCE_SECONDS = 90
"""Time without a heartbeat after which a run counts as crashed: three heartbeats."""
_ENDS = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]


def crash_automation(block: str = "", silence_seconds: float = SILENCE_SECONDS) -> Automation:
    """Return the automation that ends a run whose process was killed, so that it does not block the next one.

    Args:
        block: a notification block, TYPE/NAME, which is told; "" = none.
        silence_seconds: time without a heartbeat; at least 10.
    """
    message = f"no heartbeat for {silence_seconds:g} s: the process of the flow was killed, or its host is gone"
    actions = [ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=message)]
    if block:
        actions.append(_notification(load_block(block), message))
    return Automation(
        name=CRASH,
        description="A killed run would stay Running and use up the concurrency limit of its deployment.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after={HEARTBEAT},
            expect={HEARTBEAT, *_ENDS},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silence_seconds),
        ),
        actions=actions,
    )


def _notification(block: NotificationBlock, message: str) -> SendNotification:
    return SendNotification(
        block_document_id=block._block_document_id, subject="flow run {{ flow_run.name }} crashed", body=message
    )


def write_automation(wanted: Automation) -> None:
    """Create an automation on the server, or replace the one of the same name."""
    try:
        known = Automation.read(name=wanted.name)
    except ValueError:
        wanted.create()
        return
    wanted.id = known.id
    wanted.update()


def main() -> None:
    """Write the automations to the server in PREFECT_API_URL."""
    parser = argparse.ArgumentParser(prog="python -m flows.automations", description=__doc__)
    parser.add_argument("--notify", default="", metavar="TYPE/NAME", help="notification block for crashed runs")
    options = parser.parse_args()
    try:
        url = check_named_server()
        if url is None:
            raise ReidopsError("PREFECT_API_URL is not set; automations are kept by a server (`prefect server start`)")
        write_automation(crash_automation(options.notify))
    except ReidopsError as error:
        print(f"automations: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(f"{url}: a run without a heartbeat for {SILENCE_SECONDS} s counts as crashed")


if __name__ == "__main__":
    main()
