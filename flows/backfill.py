"""Score older versions or other models on the current data: `python -m flows.backfill models:/person-reid/1 FOLDER…`.

The current data are those of the last `dvc repro`: first add the new data to params.yaml and run it.
"""

import argparse
import sys
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

from flows.notifications import Notification, send_notification
from flows.prefect_api import check_named_server
from reidops.errors import ReidopsError
from reidops.params import read_sections
from reidops.registry.backfill import Backfill, backfill, log_backfill
from reidops.registry.challenger import ChallengerComparer


@task(task_run_name="{model}", cache_policy=NO_CACHE, persist_result=False)
def score(model: str, root: Path) -> Backfill:
    """Return a model's figures on the current data of a repository, and log them as a run of MLflow."""
    data = root / "data"
    settings = root / "params.yaml"
    deciding = read_sections(settings)["register"]["score"]
    comparer = ChallengerComparer(
        settings, data / "raw", data / "crops", data / "export", data / "embeddings", data / "tracking", deciding
    )
    found = backfill(model, comparer)
    if found.figures:
        log_backfill(found)
    return found


@flow(name="backfill", persist_result=False)
def backfill_models(models: list[str], folder: str = ".", notify: str = "") -> State:
    """Score each of `models` on the current data in `folder`; the table of all figures is an artifact.

    Args:
        models: models:/NAME/VERSION, models:/NAME@ALIAS or folders of models.
        folder: the repository.
        notify: webhook or notification block that gets failures; see `flows.notifications`.
    """
    found = [score(model, Path(folder).resolve()) for model in models]
    faults = [f"{one.model}: {obstacle}" for one in found for obstacle in one.obstacles]
    create_table_artifact(table=[_row(one) for one in found], key="backfill", description="Models on the current data")
    if faults:
        send_notification(notify, Notification("failure", "backfill failed", "\n".join(faults)))
        return Failed(message="\n".join(faults))
    return Completed(message="\n".join(_line(one) for one in found))


def _row(found: Backfill) -> dict[str, str]:
    return {"model": found.model} | {name: f"{value:.4f}" for name, value in found.figures.items()}


def _line(found: Backfill) -> str:
    return f"{found.model}: " + ", ".join(f"{name} {value:.4f}" for name, value in found.figures.items())


def main() -> None:
    """Run the flow in this process; exit 1 with the message if it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.backfill", description=__doc__)
    parser.add_argument("models", nargs="+", help="models:/NAME/VERSION or folders of models")
    options = parser.parse_args()
    try:
        check_named_server()
    except ReidopsError as error:
        print(f"backfill: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    state = backfill_models(options.models, return_state=True)
    print(state.message)
    if not state.is_completed():
        sys.exit(1)


if __name__ == "__main__":
    main()
