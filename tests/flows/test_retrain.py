"""The flow runs the graph, tries again only what may pass, and shows what came out."""

import json
import logging
from pathlib import Path

import pytest
from test_stage_runs import GRAPH, toy_repository

from flows import retrain as flow
from flows.stage_runs import Graph, StageBusy, StageFailed, StageLocked, StageRun

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

FIGURES = {"synthetic": {"mAP": 0.61, "rank1": 0.8}}
FAILING = """\
stages:
  fetch:
    cmd: echo x > fetch.txt
    outs: [fetch.txt]
  cook:
    cmd: python -c "open('tries', 'a').write('x'); raise SystemExit('cook error, the oven is cold')"
    deps: [fetch.txt]
    outs: [cook.txt]
  tell:
    cmd: cat cook.txt > tell.txt
    deps: [cook.txt]
    outs: [tell.txt]
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(flow, "reproduce", flow.reproduce.with_options(retry_delay_seconds=0))


def test_the_flow_brings_the_whole_graph_up_to_date_and_leaves_its_figures(tmp_path: Path):
    toy_repository(tmp_path, GRAPH)
    (tmp_path / "data" / "reid").mkdir(parents=True)
    (tmp_path / "data" / "reid" / "metrics.json").write_text(json.dumps(FIGURES))
    state = flow.retrain(str(tmp_path), return_state=True)
    assert state.is_completed()
    assert (tmp_path / "tell.txt").read_text() == "x\nx\n"
    assert {"key": "figures", "row": {"figure": "reid/synthetic/mAP", "value": "0.6100"}} in [
        {"key": key, "row": row} for key, rows in _tables().items() for row in rows
    ]


def _tables() -> dict[str, list[dict[str, str]]]:
    return {key: json.loads(data) for key, data in _artifacts("table").items()}


def _artifacts(kind: str | None = None) -> dict[str, str]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        artifacts = client.read_artifacts()
    latest = sorted(artifacts, key=lambda artifact: artifact.created)  # other flows of the session have the same keys
    return {a.key: a.data for a in latest if kind in (None, a.type)}


def test_a_failing_stage_is_tried_once_stops_what_needs_it_and_its_message_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    toy_repository(tmp_path, FAILING)
    with caplog.at_level(logging.INFO, logger="prefect"):
        state = flow.retrain(str(tmp_path), return_state=True)
    assert state.is_failed()
    assert state.message == "cook: cook error, the oven is cold"
    assert (tmp_path / "tries").read_text() == "x"
    assert not (tmp_path / "tell.txt").exists()
    assert any("cook error, the oven is cold" in record.message for record in caplog.records)


@pytest.mark.parametrize(("cause", "num_tries"), [(StageBusy, 3), (StageLocked, 9)])
def test_a_lock_is_tried_again_until_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: type[StageBusy], num_tries: int
):
    tries = []

    def reproduce_stage(name: str, *_: object) -> StageRun:
        tries.append(name)
        if len(tries) < num_tries:
            raise cause(f"{name}: Unable to acquire lock")
        return StageRun(name, "ran")

    monkeypatch.setattr(flow, "read_graph", lambda folder: Graph({"fetch": ()}))
    monkeypatch.setattr(flow, "reproduce_stage", reproduce_stage)
    state = flow.retrain(str(tmp_path), return_state=True)
    assert state.is_completed()
    assert tries == ["fetch"] * num_tries


def test_a_failed_training_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tries = []

    def reproduce_stage(name: str, *_: object) -> StageRun:
        tries.append(name)
        raise StageFailed(f"{name}: the loss is NaN")

    monkeypatch.setattr(flow, "read_graph", lambda folder: Graph({"train": ()}))
    monkeypatch.setattr(flow, "reproduce_stage", reproduce_stage)
    state = flow.retrain(str(tmp_path), return_state=True)
    assert state.is_failed() and state.message == "train: the loss is NaN"
    assert tries == ["train"]


def test_a_failed_flow_shows_the_cause_and_not_the_figures_of_an_earlier_result(tmp_path: Path):
    toy_repository(tmp_path, FAILING)
    (tmp_path / "data" / "reid").mkdir(parents=True)
    (tmp_path / "data" / "reid" / "metrics.json").write_text(json.dumps({"old": {"mAP": 0.11, "rank1": 0.2}}))
    assert flow.retrain(str(tmp_path), return_state=True).is_failed()
    artifacts = _artifacts()
    assert artifacts["failure"] == "- cook: cook error, the oven is cold"
    assert "reid/old/mAP" not in artifacts.get("figures", "")


def test_an_unchanged_graph_starts_no_dvc_process_per_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flow, "read_graph", lambda folder: Graph({"fetch": (), "cook": ("fetch",)}, frozenset()))
    monkeypatch.setattr(flow, "reproduce_stage", lambda *_: pytest.fail("a stage was started"))
    state = flow.retrain(str(tmp_path), return_state=True)
    assert state.is_completed() and state.message == "2 stages are up to date"


def test_the_command_starts_no_server_if_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(flow, "check_named_server", lambda: None)
    monkeypatch.setattr(flow, "read_graph", lambda folder: Graph({"fetch": (), "cook": ("fetch",)}, frozenset()))
    monkeypatch.setattr(flow, "retrain", lambda **_: pytest.fail("the flow was started"))
    flow.main()
    assert capsys.readouterr().out == "2 stages are up to date; nothing ran\n"
