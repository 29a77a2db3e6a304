"""Curves of a running training are in MLflow, and errors of MLflow do not stop the training."""

import math
import socket
from contextlib import closing

import pytest
from empty_store import write_empty_store

from reidops.registry import live_run
from reidops.registry.store import open_store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _store(tmp_path_factory):
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    write_empty_store(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
        yield


def test_curves_are_logged_during_the_training_and_the_weights_identify_the_run():
    with live_run.live_run("watched", "train-a", "digest-a", {"epochs": 2}) as live:
        live.log_epoch(1, {"epoch": 1, "loss": 2.0, "val_mAP": math.nan})
        with open_store() as client:
            assert client.get_run(live.run_id).data.metrics["train/loss"] == 2.0
        live.log_epoch(2, {"epoch": 2, "loss": 1.0, "val_mAP": 0.5})
        live.name_weights("abc")
    with open_store() as client:
        run = client.get_run(live_run.find_training(client, "abc"))
        losses = [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, "train/loss")]
        assert live_run.find_training(client, "abd") is None
    assert (run.info.run_id, run.info.run_name, run.info.status) == (live.run_id, "train-a", "FINISHED")
    assert losses == [(1, 2.0), (2, 1.0)] and run.data.params == {"train.epochs": "2"}
    assert "train/val_mAP" in run.data.metrics and "train/epoch" not in run.data.metrics


def test_the_metrics_and_params_of_an_adaptation_have_its_name():
    with live_run.live_run("watched", "adapt-a", "digest-d", {"rounds": 1}, stage="adapt") as live:
        live.log_epoch(1, {"round": 1, "clusters": 5, "stability": math.nan})
    with open_store() as client:
        run = client.get_run(live.run_id)
    names = {name for name in run.data.metrics if not name.startswith("system/")}
    assert names == {"adapt/clusters"} and run.data.params == {"adapt.rounds": "1"}


def test_an_interrupted_training_continues_its_run_and_a_finished_one_gets_another():
    with pytest.raises(KeyboardInterrupt), live_run.live_run("watched", "train-b", "digest-b", {}) as broken:
        raise KeyboardInterrupt
    with live_run.live_run("watched", "train-b", "digest-b", {}) as resumed:
        assert resumed.run_id == broken.run_id
    with live_run.live_run("watched", "train-b", "digest-b", {}) as again:
        assert again.run_id != broken.run_id


def test_an_unreachable_server_is_logged_once_and_does_not_stop_the_training(monkeypatch, caplog):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with live_run.live_run("watched", "train-c", "digest-c", {}) as live:
        live.log_epoch(1, {"loss": 1.0})
        live.name_weights("def")
    assert caplog.text.count("continues without live curves") == 1
