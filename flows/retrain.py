"""Run all stages of dvc.yaml, with one Prefect task run per stage: `python -m flows.retrain`.

DVC is the only cache: each task run is `dvc repro --single-item <stage>`, so that a scheduled run is equivalent to a
manual `dvc repro`. Independent stages run in parallel.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture, as_completed
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from flows.notifications import Notification, send_notification
from flows.one_training import left_out, only_training
from flows.prefect_api import check_named_server
from flows.result_artifacts import read_promotion, write_failure_artifact, write_result_artifacts
from flows.stage_runs import (
    Graph,
    StageBusy,
    StageFailed,
    StageLocked,
    StageRun,
    interrupt,
    read_graph,
    reproduce_stage,
)
from reidops.errors import ReidopsError

MAX_PARALLEL = 3  # more DVC processes compete for its lock
RETRIES = 50
RETRY_SECONDS = [2, 4, 8, 16, 32, *[60] * 45]
"""Waiting times before a retry, 46 minutes together: a `dvc repro` that trains holds the lock as long as that."""
RETRIES_OF_SERVERS = 6  # two minutes

_running: set[subprocess.Popen[str]] = set()


def may_pass(task: Task, task_run: TaskRun, state: State) -> bool:
    """Return whether to retry a failed task run: yes after a DVC lock or an unreachable server, no after a failure."""
    cause = state.result(raise_on_failure=False)
    return isinstance(cause, StageLocked) or (isinstance(cause, StageBusy) and task_run.run_count <= RETRIES_OF_SERVERS)


@task(
    task_run_name="{stage}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=may_pass,
)
def reproduce(stage: str, folder: Path, *, stale: bool = True) -> State[StageRun]:
    """Run one stage if it changed; the name of the returned state is the outcome.

    Args:
        stage: the stage.
        folder: the folder of dvc.yaml.
        stale: whether the stage can have changed; if not, no DVC process is started.
    """
    if not stale:
        return Completed(name="Unchanged", message=f"{stage}: unchanged")
    logger = get_run_logger()
    try:
        run = reproduce_stage(stage, folder, lambda line: logger.info(line) if line else None, _running)
    except StageFailed as error:  # a returned state is logged without a traceback
        return Failed(message=str(error))
    return Completed(name=run.outcome.capitalize(), message=f"{stage}: {run.outcome}")


@flow(name="retrain", task_runner=ThreadPoolTaskRunner(max_workers=MAX_PARALLEL), persist_result=False)
def retrain(folder: str = ".", notify: str = "") -> State:
    """Run every stage of dvc.yaml in `folder`, and write the result or the causes of a failure as artifacts.

    While another flow trains in `folder`, the run is cancelled.

    Args:
        folder: the folder of dvc.yaml.
        notify: webhook or notification block that gets failures and promotions; see `flows.notifications`.
    """
    root = Path(folder).resolve()
    with only_training(root) as alone:
        return _retrain(root, notify) if alone else Cancelled(message=left_out(root))


def _retrain(root: Path, notify: str) -> State:
    before = read_promotion(root / "data")
    try:
        num_stages, failures = _run_graph(root)
    except ReidopsError as error:
        failures = [str(error)]
    finally:
        interrupt(list(_running))  # processes still run here only if the flow itself was interrupted
    if failures:
        send_notification(notify, Notification("failure", f"{root.name}: retrain failed", "\n".join(failures)))
        return _failed(failures)
    write_result_artifacts(root / "data")
    after = read_promotion(root / "data")
    if after is not None and after.champion and after != before:
        send_notification(
            notify, Notification("promotion", f"{after.name} version {after.version} is champion", after.reason)
        )
    return Completed(message=f"{num_stages} stages are up to date")


def _run_graph(root: Path) -> tuple[int, list[str]]:
    """Run the stages; return their number and the messages of those that failed."""
    futures = _submit(read_graph(root), root)
    _follow(futures)
    return len(futures), [text for future in futures.values() if (text := _failure(future))]


def _follow(futures: dict[str, PrefectFuture]) -> None:
    """Wait for all stages, and show their progress as an artifact."""
    progress = create_progress_artifact(0.0, key="progress", description=f"0 of {len(futures)} stages")
    for number, future in enumerate(as_completed(list(futures.values())), 1):
        future.wait()  # reads the final state
        text = f"{number} of {len(futures)} stages"
        update_progress_artifact(progress, 100.0 * number / len(futures), description=text)


def _submit(graph: Graph, root: Path) -> dict[str, PrefectFuture]:
    futures: dict[str, PrefectFuture] = {}
    for stage, needs in graph.needs.items():
        before = [futures[need] for need in needs]
        futures[stage] = reproduce.submit(stage, root, stale=stage in graph.stale, wait_for=before)
    return futures


def _failed(failures: list[str]) -> State:
    write_failure_artifact(failures)
    return Failed(message="\n".join(failures))


def _failure(future: PrefectFuture) -> str | None:
    """Return the message of a failed stage, None for a stage that succeeded or did not start."""
    if not future.state.is_failed():
        return None
    cause = future.state.result(raise_on_failure=False)
    return str(cause) if isinstance(cause, ReidopsError) else future.state.message


def main() -> None:
    """Run the flow in this process; exit 1 with the message of the stage if one failed.

    If no server is named and no stage changed, no flow runs: a temporary server takes longer than the comparison.
    """
    logging.getLogger("prefect").setLevel(os.environ.get("PREFECT_LOGGING_LEVEL", "INFO"))
    try:
        graph = None if check_named_server() else read_graph(Path())
        if graph and not graph.stale:
            print(f"{len(graph.needs)} stages are up to date; nothing ran")
            return
    except ReidopsError as error:
        print(f"retrain: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    state = retrain(return_state=True)
    if not state.is_completed():
        sys.exit(state.message)


if __name__ == "__main__":
    main()
