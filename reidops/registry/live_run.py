"""Log the curves of a running training to MLflow, in its own run.

Errors are logged once and do not stop the training, because history.csv holds the same curves.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import mlflow
from mlflow.entities import Metric, Param, ViewType

from reidops.errors import ReidopsError
from reidops.registry.store import find_experiment, open_store

log = logging.getLogger(__name__)

_COUNTERS = ("epoch", "round")
_WEIGHTS, _TRAINING = "weights.sha256", "training"


@dataclass
class LiveRun:
    """The run of one training; without a run id nothing is sent. `stage` is the head of the names of its metrics."""

    run_id: str | None = None
    stage: str = "train"

    def log_epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Log the finite figures of an epoch or round as the metrics `<stage>/<name>`."""
        now = int(time.time() * 1000)
        known = {
            name: float(value) for name, value in figures.items() if name not in _COUNTERS and math.isfinite(value)
        }
        metrics = [Metric(f"{self.stage}/{name}", value, now, epoch) for name, value in known.items()]
        self._send(lambda client: client.log_batch(self.run_id, metrics=metrics))

    def name_weights(self, weights_sha256: str) -> None:
        """Tag the run with the trained weights, so that `log_result` can link the result's run to this one."""
        self._send(lambda client: client.set_tag(self.run_id, _WEIGHTS, weights_sha256))

    def _send(self, call: Callable[[mlflow.MlflowClient], object]) -> None:
        if self.run_id is None:
            return
        try:
            with open_store() as client:
                call(client)
        except (ReidopsError, OSError) as error:
            _warn(error)
            self.run_id = None


@contextmanager
def live_run(
    experiment: str, name: str, digest: str, params: Mapping[str, object], *, stage: str = "train"
) -> Iterator[LiveRun]:
    """Yield a run with system metrics; an interrupted training of the same `digest` continues in its previous run."""
    live = LiveRun(stage=stage)
    try:
        with open_store() as client:
            live.run_id = _start(client, find_experiment(client, experiment), name, digest)
            client.log_batch(live.run_id, params=[Param(f"{stage}.{key}", str(value)) for key, value in params.items()])
    except (ReidopsError, OSError) as error:
        _warn(error)
        live.run_id = None
    status = "FAILED"
    try:
        yield live
        status = "FINISHED"
    finally:
        _end(live, status)


def _start(client: mlflow.MlflowClient, experiment_id: str, name: str, digest: str) -> str:
    """Start the run and return its id."""
    same = client.search_runs(
        [experiment_id], f"tags.`{_TRAINING}` = '{digest}' and attributes.status != 'FINISHED'", ViewType.ACTIVE_ONLY, 1
    )
    mlflow.set_system_metrics_sampling_interval(5)
    known = same[0].info.run_id if same else None
    run = mlflow.start_run(
        run_id=known, experiment_id=experiment_id, run_name=name, tags={_TRAINING: digest}, log_system_metrics=True
    )
    return run.info.run_id


def _end(live: LiveRun, status: str) -> None:
    """End the run, if one was started; an unreachable store was already reported."""
    if mlflow.active_run() is None:
        return
    try:
        with open_store():
            mlflow.end_run(status)
    except (ReidopsError, OSError) as error:
        if live.run_id is not None:
            _warn(error)


def find_training(client: mlflow.MlflowClient, weights_sha256: str) -> str | None:
    """Return the id of the newest training run of these weights in any experiment, or None."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    wanted = f"tags.`{_WEIGHTS}` = '{weights_sha256}' and tags.`{_TRAINING}` != ''"
    found = client.search_runs(experiments, wanted, ViewType.ACTIVE_ONLY, 1)
    return found[0].info.run_id if found else None


def _warn(error: Exception) -> None:
    log.warning("the training continues without live curves in MLflow: %s", error)
