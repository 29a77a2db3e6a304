"""Make a version the champion at a person's request: `python -m flows.promote 3 --why "audited"`."""

import argparse
import sys

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, Failed, State

from flows.notifications import Notification, send_notification
from flows.prefect_api import check_named_server
from reidops.errors import ReidopsError
from reidops.registry.changes import Actor, promote_by_hand, this_user
from reidops.registry.store import open_store, store_lock

MODEL = "person-reid"


@flow(name="promote", persist_result=False)
def promote(version: str, why: str, name: str = MODEL, notify: str = "") -> State:
    """Make `version` of the registered model `name` the champion, whatever its scores; a frozen champion stays.

    Args:
        version: the version's number.
        why: the reason, which is stored with the change.
        name: the registered model.
        notify: webhook or notification block that gets the promotion or the failure; see `flows.notifications`.
    """
    who = this_user(why)
    try:
        with store_lock(), open_store(must_exist=True) as client:
            promote_by_hand(client, name, version, Actor(f"{who.who}, flow promote", why))
    except ReidopsError as error:
        send_notification(notify, Notification("failure", f"{name} version {version}: not promoted", str(error)))
        return Failed(message=str(error))
    text = f"{name} version {version} is champion"
    send_notification(notify, Notification("promotion", text, why))
    create_markdown_artifact(f"**{text}**\n\n{who.who}: {why}", key="promotion", description="Promotion by a person")
    return Completed(message=text)


def main() -> None:
    """Run the flow in this process; exit 1 with the message if it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.promote", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--why", required=True, help="reason, which is stored with the change")
    parser.add_argument("--name", default=MODEL, help="registered model")
    parser.add_argument("--notify", default="", help="webhook or notification block")
    options = parser.parse_args()
    try:
        check_named_server()
    except ReidopsError as error:
        print(f"promote: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    state = promote(options.version, options.why, options.name, options.notify, return_state=True)
    print(state.message)
    if not state.is_completed():
        sys.exit(1)


if __name__ == "__main__":
    main()
