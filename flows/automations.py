"""Write the automations of this project to the Prefect server: `python -m flows.automations`.

`python -m flows.serve` does this itself. Run it once after `prefect deploy`, and again after a change of this file.
"""

import argparse
import sys
from datetime import timedelta
from typing import Any

from prefect.automations import Automation
from prefect.blocks.abstract import NotificationBlock
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture

from flows.notifications import load_block
from flows.prefect_api import check_named_server
from reidops.errors import ReidopsError

CRASH = "crash flow runs without a heartbeat"
NO_START = "crash flow runs that do not start"
HEARTBEAT = "prefect.flow-run.heartbeat"
HEARTBEAT_SECONDS = 30
"""Time between two heartbeats of a flow run, `flows.heartbeat_frequency` in prefect.toml; Prefect's least value."""
SILENCE_SECONDS = 90
"""Time without a heartbeat after which a run counts as crashed: three heartbeats."""
START_SECONDS = 300
"""Time in Pending after which a run counts as crashed, the length of Prefect's lease: its process starts in seconds."""
_RUN = "prefect.flow-run"
_ENDS = [f"{_RUN}.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]
_WAITS = [f"{_RUN}.{state}" for state in ("Scheduled", "AwaitingConcurrencySlot")]


def crash_automation(block: str = "", silence_seconds: float = SILENCE_SECONDS) -> Automation:
    """Return the automation that ends a run whose process was killed, so that it does not block the next one.

    Args:
        block: a notification block, TYPE/NAME, that gets a message; "" = none.
        silence_seconds: time without a heartbeat; at least 10.
    """
    message = f"no heartbeat for {silence_seconds:g} s: the process of the flow was killed, or its host is gone"
    after = {HEARTBEAT, f"{_RUN}.Running"}
    return _automation(CRASH, after, {HEARTBEAT, *_ENDS}, silence_seconds, message, block)


def start_automation(block: str = "", seconds: float = START_SECONDS) -> Automation:
    """Return the automation that ends a run whose process was killed before it ran; it has no heartbeat yet.

    Args:
        block: a notification block, TYPE/NAME, that gets a message; "" = none.
        seconds: time in Pending; at least 10.
    """
    message = f"not started within {seconds:g} s: the process of the flow was killed, or its host is gone"
    return _automation(NO_START, {f"{_RUN}.Pending"}, {f"{_RUN}.Running", *_WAITS, *_ENDS}, seconds, message, block)


def _automation(name: str, after: set[str], expect: set[str], seconds: float, message: str, block: str) -> Automation:
    actions = [ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=message)]
    if block:
        actions.append(_notification(load_block(block), message))
    return Automation(
        name=name,
        description="A killed run would stay Running and use up the concurrency limit of its deployment.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            after=after,
            expect=expect,
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=actions,
    )


def _notification(block: NotificationBlock, message: str) -> SendNotification:
    return SendNotification(
        block_document_id=block._block_document_id, subject="flow run {{ flow_run.name }} crashed", body=message
    )


def write_automation(wanted: Automation, *, keep_notification: bool = False) -> None:
    """Create an automation on the server, or replace the one of the same name if it differs.

    A replaced automation forgets the runs that it watches: a killed run would stay Running after `flows.serve` started
    again.

    Args:
        keep_notification: keep the notifications of the one that is replaced.
    """
    try:
        known = Automation.read(name=wanted.name)
    except ValueError:
        wanted.create()
        return
    wanted.id = known.id
    if keep_notification:
        wanted.actions += [action for action in known.actions if isinstance(action, SendNotification)]
    if _content(wanted) != _content(known):
        wanted.update()


def _content(automation: Automation) -> dict[str, Any]:
    """Return what an automation does, without the ids that the server gives."""
    return automation.model_dump(exclude={"id": True, "trigger": {"id"}})


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
        write_automation(start_automation(options.notify))
    except ReidopsError as error:
        print(f"automations: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    print(
        f"{url}: a run without a heartbeat for {SILENCE_SECONDS} s, or Pending for {START_SECONDS} s, counts as crashed"
    )


if __name__ == "__main__":
    main()
