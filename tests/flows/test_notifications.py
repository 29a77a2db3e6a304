"""Failure, drift and promotion reach a webhook or a block, and a silent webhook stops no flow."""

import json
import logging
from pathlib import Path

import pytest
from drawn_scenes import draw_scene
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.system import Secret
from webhook import webhook

import flows.drift as drift_module
from flows import retrain as retrain_module
from flows.stage_runs import Graph, StageFailed, StageRun
from reidops.drift.comparison import compare
from reidops.drift.reference import make_reference

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def register(folder: Path, version: str, champion: bool) -> None:
    """Write version.json as the stage `register` does."""
    (folder / "data" / "registration").mkdir(parents=True, exist_ok=True)
    entry = {"name": "person-reid", "version": version, "decision": {"champion": champion, "reason": "it wins"}}
    (folder / "data" / "registration" / "version.json").write_text(json.dumps(entry))


def retrain(monkeypatch: pytest.MonkeyPatch, folder: Path, target: str, outcome: object) -> None:
    """Run the flow with one stage that fails, or registers a version (number, champion)."""

    def reproduce_stage(name: str, *_: object) -> StageRun:
        if isinstance(outcome, Exception):
            raise outcome
        register(folder, *outcome)
        return StageRun(name, "ran")

    monkeypatch.setattr(retrain_module, "read_graph", lambda folder: Graph({"register": ()}))
    monkeypatch.setattr(retrain_module, "reproduce_stage", reproduce_stage)
    retrain_module.retrain(str(folder), target, return_state=True)


def test_a_failure_is_sent_with_its_cause(tmp_path, monkeypatch):
    with webhook() as (url, bodies):
        retrain(monkeypatch, tmp_path, url, StageFailed("train: the loss is NaN"))
    assert [body["event"] for body in bodies] == ["failure"] and "train: the loss is NaN" in bodies[0]["text"]


def test_a_promotion_is_sent_once_and_a_refusal_is_not(tmp_path, monkeypatch):
    with webhook() as (url, bodies):
        for outcome in (("1", True), ("1", True), ("2", False), ("3", True)):
            retrain(monkeypatch, tmp_path, url, outcome)
    assert [body["subject"] for body in bodies] == [
        "person-reid version 1 is champion",
        "person-reid version 3 is champion",
    ]
    assert "it wins" in bodies[0]["text"]


def test_drift_is_sent(tmp_path, monkeypatch):
    reference = make_reference([draw_scene(seed) for seed in range(8)], 0.4, "a" * 64)
    monkeypatch.setattr(drift_module, "check_drift", lambda *_, **__: compare([draw_scene(50, light=-90)], reference))
    with webhook() as (url, bodies):
        drift_module.drift(["new"], folder=str(tmp_path), start_retrain=False, notify=url, return_state=True)
    assert [body["event"] for body in bodies] == ["drift"] and "brightness" in bodies[0]["text"]


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/secret-token", "slack-webhook/none", "secret/password"])
def test_a_notification_that_cannot_be_sent_is_a_warning_without_the_address(tmp_path, monkeypatch, caplog, target):
    Secret(value="x").save("password", overwrite=True)
    with caplog.at_level(logging.WARNING, logger="prefect"):
        retrain(monkeypatch, tmp_path, target, ("9", True))
    warnings = [record.message for record in caplog.records if "was not sent" in record.message]
    assert len(warnings) == 1 and "promotion" in warnings[0] and "secret-token" not in warnings[0]


def test_an_error_of_the_webhook_is_a_warning(tmp_path, monkeypatch, caplog):
    with webhook(500) as (url, _), caplog.at_level(logging.WARNING, logger="prefect"):
        retrain(monkeypatch, tmp_path, url, ("9", True))
    assert any("was not sent: HTTP 500" in record.message for record in caplog.records)


class Kept(NotificationBlock):
    """A block that keeps its messages."""

    def notify(self, body: str, subject: str | None = None) -> None:
        SENT.append((subject, body))


SENT: list[tuple[str | None, str]] = []


def test_a_block_is_used_by_its_name(tmp_path, monkeypatch):
    Kept().save("team", overwrite=True)
    retrain(monkeypatch, tmp_path, "kept/team", ("9", True))
    assert SENT == [("person-reid version 9 is champion", "it wins")]
