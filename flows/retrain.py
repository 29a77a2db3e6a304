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
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task

from flows.prefect_api import check_named_server
from flows.stage_runs import StageBusy, StageRun, interrupt, read_graph, reproduce_stage
from reidops.errors import ReidopsError
from reidops.summary import headline_figures, list_links

MAX_PARALLEL = 3  # more DVC processes compete for its lock
RETRIES = 6
RETRY_SECONDS = [2, 4, 8, 16, 32, 64]

_running: set[subprocess.Popen[str]] = set()


def may_pass(task: Task, task_run: TaskRun, state: State) -> bool:
    """Return whether to retry a failed task run: yes after a DVC lock or an unreachable server, no after a failure."""
    return isinstance(state.result(raise_on_failure=False), StageBusy)


@task(
    task_run_name="{stage}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=may_pass,
)
def reproduce(stage: str, folder: Path) -> State[StageRun]:
    """Run one stage if it changed; the name of the returned state is the outcome."""
    logger = get_run_logger()
    run = reproduce_stage(stage, folder, lambda line: logger.info(line) if line else None, _running)
    return Completed(name=run.outcome.capitalize(), message=f"{stage}: {run.outcome}")


@flow(name="retrain", task_runner=ThreadPoolTaskRunner(max_workers=MAX_PARALLEL), persist_result=False)
def retrain(folder: str = ".") -> State:
    """Run every stage of dvc.yaml in `folder`, and write the metrics and links as artifacts."""
    root = Path(folder).resolve()
    futures: dict[str, PrefectFuture] = {}
    try:
        for stage, needs in read_graph(root).items():
            futures[stage] = reproduce.submit(stage, root, wait_for=[futures[need] for need in needs])
        wait(list(futures.values()))
    finally:
        interrupt(list(_running))  # processes still run here only if the flow itself was interrupted
    failures = [text for future in futures.values() if (text := _failure(future))]
    write_artifacts(root / "data")
    return (
        Failed(message="\n".join(failures)) if failures else Completed(message=f"{len(futures)} stages are up to date")
    )


def _failure(future: PrefectFuture) -> str | None:
    """Return the message of a failed stage, None for a stage that succeeded or did not start."""
    result = future.state.result(raise_on_failure=False) if future.state.is_failed() else None
    return str(result) if isinstance(result, Exception) else None


def write_artifacts(data: Path) -> None:
    """Write the metrics and the links as artifacts for the Prefect UI, if there are any."""
    figures = headline_figures(data)
    if figures:
        rows = [{"figure": name, "value": f"{value:.4f}"} for name, value in figures.items()]
        create_table_artifact(table=rows, key="figures", description="ReID and tracking figures of this result")
    links = list_links(data)
    if links:
        lines = [
            f"- {label}: `{link}`" if " " in link or "://" not in link else f"- [{label}]({link})"
            for label, link in links.items()
        ]
        create_markdown_artifact("\n".join(lines), key="where-to-look", description="What to open after this run")


def main() -> None:
    """Run the flow in this process; exit 1 with the message of the stage if one failed."""
    logging.getLogger("prefect").setLevel(os.environ.get("PREFECT_LOGGING_LEVEL", "INFO"))
    try:
        check_named_server()
    except ReidopsError as error:
        print(f"retrain: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    state = retrain(return_state=True)
    if not state.is_completed():
        sys.exit(state.message)


if __name__ == "__main__":
    main()
