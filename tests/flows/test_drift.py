"""flows/drift.py: drift starts retrain, scenes of the same kind do not."""

from pathlib import Path

import pytest
from drawn_scenes import draw_scene
from prefect import flow
from prefect.states import Cancelled, Completed, Failed, State

import flows.drift as module
from reidops.drift.comparison import Comparison, compare
from reidops.drift.reference import make_reference
from reidops.errors import ReidopsError

pytestmark = pytest.mark.slow

REFERENCE = make_reference([draw_scene(seed) for seed in range(8)], 0.4, "a" * 64)
SAME, OTHER = compare([draw_scene(50)], REFERENCE), compare([draw_scene(50, light=-90)], REFERENCE)


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, found: Comparison | Exception, **options: object):
    """Run the flow with a given comparison; return its state and the folders in which `retrain` ran."""
    ran: list[str] = []

    @flow(name="retrain", persist_result=False)
    def retrain(folder: str, notify: str) -> State:
        ran.append(folder)
        return options.get("outcome", Completed(message="12 stages are up to date"))

    def check(*arguments: object, **more: object) -> Comparison:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(module, "retrain", retrain)
    monkeypatch.setattr(module, "check_drift", check)
    start_retrain = bool(options.get("start_retrain", True))
    state = module.drift(["new"], folder=str(folder), start_retrain=start_retrain, return_state=True)
    return state, ran


def test_drift_starts_retrain_in_the_repository(monkeypatch, tmp_path):
    state, ran = run(monkeypatch, tmp_path, OTHER)
    assert state.is_completed() and ran == [str(tmp_path.resolve())]
    assert "brightness" in state.message and "retrain has run" in state.message


def test_scenes_of_the_same_kind_do_not(monkeypatch, tmp_path):
    state, ran = run(monkeypatch, tmp_path, SAME)
    assert state.is_completed() and not ran and "no drift" in state.message


def test_drift_is_only_reported_on_request(monkeypatch, tmp_path):
    state, ran = run(monkeypatch, tmp_path, OTHER, start_retrain=False)
    assert state.is_completed() and not ran and "drift in" in state.message


def test_a_retrain_that_is_left_out_is_no_failure(monkeypatch, tmp_path):
    state, _ = run(monkeypatch, tmp_path, OTHER, outcome=Cancelled(message="another run trains"))
    assert state.is_completed() and "another run trains" in state.message


def test_a_failed_retrain_fails_the_flow_with_its_message(monkeypatch, tmp_path):
    state, _ = run(monkeypatch, tmp_path, OTHER, outcome=Failed(message="train: out of memory"))
    assert state.is_failed() and "out of memory" in state.message


def test_a_model_without_a_reference_fails_the_flow(monkeypatch, tmp_path):
    state, ran = run(monkeypatch, tmp_path, ReidopsError("no drift reference"))
    assert state.is_failed() and not ran and "no drift reference" in state.message
