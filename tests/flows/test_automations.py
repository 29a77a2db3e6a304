"""The automation that ends killed runs is written once, and replaced when it changes."""

from datetime import timedelta

import pytest
from prefect.automations import Automation
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings

from flows.automations import (
    CRASH,
    HEARTBEAT_SECONDS,
    SILENCE_SECONDS,
    START_SECONDS,
    crash_automation,
    start_automation,
    write_automation,
)
from flows.notifications import load_block
from reidops.errors import ReidopsError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def written() -> list:
    with get_client(sync_client=True) as client:
        return client.read_automations_by_name(CRASH)


def test_it_is_replaced_and_not_doubled():
    write_automation(crash_automation(silence_seconds=10))
    write_automation(crash_automation())
    (found,) = written()
    assert found.enabled and found.trigger.within == timedelta(seconds=SILENCE_SECONDS)
    assert [action.type for action in found.actions] == ["change-flow-run-state"]


@pytest.mark.parametrize("automation", [crash_automation, start_automation])
def test_an_equal_one_is_not_replaced_because_that_forgets_the_runs_it_watches(monkeypatch, automation):
    write_automation(automation())
    monkeypatch.setattr(Automation, "update", None)
    write_automation(automation(), keep_notification=True)


def test_a_run_that_is_killed_before_its_first_heartbeat_is_ended_too():
    """It stays Pending, or Running from the moment before its first heartbeat."""
    running, pending = crash_automation().trigger, start_automation().trigger
    assert "prefect.flow-run.Running" in running.after and running.within == timedelta(seconds=SILENCE_SECONDS)
    assert pending.after == {"prefect.flow-run.Pending"} and "prefect.flow-run.Running" in pending.expect
    assert pending.within == timedelta(seconds=START_SECONDS)
    assert crash_automation().name != start_automation().name


def test_a_block_gets_a_message_of_a_crash_until_it_is_removed():
    block = CustomWebhookNotificationBlock(name="team", url="http://127.0.0.1:1/")
    document = block.save("team", overwrite=True)
    write_automation(crash_automation("custom-webhook/team"))
    (found,) = written()
    assert found.actions[1].type == "send-notification" and found.actions[1].block_document_id == document
    write_automation(crash_automation(), keep_notification=True)  # as `python -m flows.serve` does
    assert [action.type for action in written()[0].actions] == ["change-flow-run-state", "send-notification"]
    write_automation(crash_automation())
    assert [action.type for action in written()[0].actions] == ["change-flow-run-state"]
    with pytest.raises(ReidopsError, match="slack-webhook/none"):
        load_block("slack-webhook/none")


def test_the_heartbeat_of_prefect_toml_fits_the_automation():
    """A run would be called crashed if fewer than three heartbeats fitted into the silence."""
    assert get_current_settings().flows.heartbeat_frequency == HEARTBEAT_SECONDS == SILENCE_SECONDS // 3
