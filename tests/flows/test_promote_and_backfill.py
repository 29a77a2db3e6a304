"""The flows `promote` and `backfill`: what they change, show and refuse."""

import pytest
import yaml
from webhook import webhook

import flows.backfill as backfill_module
import flows.promote as promote_module
from reidops.registry.backfill import Backfill
from reidops.registry.changes import CHAMPION
from reidops.registry.store import find_aliases, open_store

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Return a store with two versions and no champion."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with open_store() as client:
        client.create_registered_model("person-reid")
        for _ in range(2):
            client.create_model_version("person-reid", source=str(tmp_path))
    return tmp_path


def test_promote_moves_the_alias_says_who_and_notifies(store):
    with webhook() as (url, bodies):
        state = promote_module.promote("2", "audited", notify=url, return_state=True)
    assert state.is_completed() and [body["event"] for body in bodies] == ["promotion"]
    with open_store() as client:
        assert find_aliases(client, "person-reid")[CHAMPION] == "2"
        tags = client.get_model_version("person-reid", "2").tags
    assert tags["promoted.who"].endswith("flow promote") and tags["promoted.why"] == "audited"
    state = promote_module.promote("7", "a slip", return_state=True)
    assert state.is_failed() and "no version 7; it has 1, 2" in state.message


def test_backfill_scores_each_model_and_names_what_it_could_not_score(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"register": {"score": "IDF1"}}))
    logged = []
    known = {
        "models:/person-reid/1": Backfill("models:/person-reid/1", {"IDF1": 0.5}, {"new": 0.4}),
        "other": Backfill("other", obstacles=("other: has no embedder.json",)),
    }
    monkeypatch.setattr(backfill_module, "backfill", lambda model, comparer: known[model])
    monkeypatch.setattr(backfill_module, "log_backfill", logged.append)
    run = backfill_module.backfill_models
    state = run(["models:/person-reid/1"], str(tmp_path), return_state=True)
    assert state.is_completed() and state.message == "models:/person-reid/1: tracking/IDF1 0.5000, reid/new/mAP 0.4000"
    state = run(list(known), str(tmp_path), return_state=True)
    assert state.is_failed() and state.message == "other: other: has no embedder.json"
    assert [one.model for one in logged] == ["models:/person-reid/1"] * 2
