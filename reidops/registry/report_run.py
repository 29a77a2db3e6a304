"""Log a comparison or an evaluation that is not a result of the pipeline as a run of MLflow."""

from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Metric, RunTag

from reidops.registry.store import find_experiment, open_store


def log_report(
    experiment: str,
    description: str,
    figures: Mapping[str, float],
    tags: Mapping[str, str],
    report: Path | None = None,
    *,
    run_name: str = "drift",
) -> str:
    """Log figures, tags and the files of a report as one run, and return its id."""
    with open_store() as client:
        run = client.create_run(find_experiment(client, experiment), run_name=run_name)
        run_id, now = run.info.run_id, run.info.start_time
        listed = [RunTag("mlflow.note.content", description), *(RunTag(name, text) for name, text in tags.items())]
        client.log_batch(run_id, [Metric(name, value, now, 0) for name, value in figures.items()], tags=listed)
        if report is not None:
            client.log_artifacts(run_id, str(report))
        client.set_terminated(run_id)
    return run_id
