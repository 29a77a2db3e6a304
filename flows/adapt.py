"""Adapt the model to new videos of one's own cameras, if there are some: `python -m flows.adapt`.

The folder is download.videos. With a new, changed or removed video the stages from `download` on are run, as `dvc
repro` does. Without one the flow ends in seconds. The model that results is a challenger; it becomes the champion only
by scores on tracked sequences with ground truth.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml
from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed, Failed, State

from flows.notifications import Notification, send_notification
from flows.one_training import left_out, only_training
from flows.prefect_api import check_named_server
from flows.result_artifacts import promotion_text, write_failure_artifact
from flows.retrain import RETRIES, RETRY_SECONDS, may_pass, retrain
from flows.stage_runs import interrupt, read_graph, reproduce_stage
from reidops.datasets.videos import NoFootage, changed_footage
from reidops.errors import ReidopsError
from reidops.files import read_json

_running: set[subprocess.Popen[str]] = set()


@flow(name="adapt", persist_result=False)
def adapt(folder: str = ".", notify: str = "") -> State:
    """Run the pipeline in `folder` if download.videos holds a video that was not used yet, and report the result.

    While another flow trains in `folder`, the run is cancelled.

    Args:
        folder: the folder of dvc.yaml.
        notify: webhook or notification block that gets failures and promotions; see `flows.notifications`.
    """
    root = Path(folder).resolve()
    with only_training(root) as alone:
        return _adapt(root, notify) if alone else Cancelled(message=left_out(root))


def _adapt(root: Path, notify: str) -> State:
    try:
        videos, adapts = _settings(root)
        if videos is None:
            return Completed(
                message="download.videos is null: nothing to adapt to; set it to the folder of your videos"
            )
        with chdir(root):  # params name files and folders relative to the repository
            try:
                new = changed_footage(videos, Path("data/raw"))
            except NoFootage:
                return Completed(message=f"{videos} holds no video and no folder of frames: nothing to adapt to")
        if not new and not _unfinished(root):
            return Completed(message=f"no new video in {videos}: nothing to adapt to")
        if new:
            describe_videos(root)
    except ReidopsError as error:
        write_failure_artifact([str(error)])
        send_notification(notify, Notification("failure", f"{root.name}: adapt failed", str(error)))
        return Failed(message=str(error))
    state = retrain(str(root), notify, return_state=True)
    if not state.is_completed():
        return Failed(message=f"retrain failed: {state.message}")
    what = f"new videos: {', '.join(new)}" if new else "what was not up to date was run"
    note = "" if adapts else "; adapt.rounds and adapt.norm_share are 0, so that the model was not adapted"
    text = report_text(root / "data")
    create_markdown_artifact(text, key="adaptation", description=what)
    return Completed(message=f"{what}{note}")


@task(
    task_run_name="download",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_SECONDS,
    retry_condition_fn=may_pass,  # another run that trains holds the lock of DVC
)
def describe_videos(folder: Path) -> None:
    """Run the stage `download` again, because DVC does not see the user's folders."""
    logger = get_run_logger()
    try:
        reproduce_stage("download", folder, lambda line: logger.info(line) if line else None, _running, force=True)
    finally:
        interrupt(list(_running))


def report_text(data: Path) -> str:
    """Return the tracklets, the evidence of the adaptation without labels, and the registered version as Markdown."""
    blocks = []
    for title, path in (("Tracklets", data / "tracklets/report.json"), ("Adaptation", data / "model/adaptation.json")):
        if path.is_file():
            rows = [f"| {name} | {value} |" for name, value in _figures(read_json(path)).items()]
            blocks.append("\n".join([f"**{title}**\n", "| figure | value |", "|---|---|", *rows]))
    return "\n\n".join([*blocks, *filter(None, [promotion_text(data)])])


def _figures(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the numbers and words of a report by dotted names; lists are left out."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= _figures(value, f"{prefix}{name}.")
        elif value is not None and not isinstance(value, list):
            found[f"{prefix}{name}"] = f"{value:.4g}" if isinstance(value, float) else value
    return found


def _settings(root: Path) -> tuple[str | None, bool]:
    """Return download.videos, and whether the model is adapted.

    Raises:
        ReidopsError: params.yaml cannot be read.
    """
    path = root / "params.yaml"
    try:
        sections = yaml.safe_load(path.read_text())
        adapt = sections["adapt"]
        return sections["download"]["videos"], bool(adapt["rounds"] or adapt["norm_share"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ReidopsError(
            f"{path}: download.videos, adapt.rounds and adapt.norm_share cannot be read: {error}"
        ) from None


def _unfinished(root: Path) -> bool:
    """Return whether stages still have to run, e.g. after an interruption or a change of params."""
    return bool(read_graph(root).stale)


def main() -> None:
    """Run the flow in this process; exit 1 with the message if it failed."""
    logging.getLogger("prefect").setLevel(os.environ.get("PREFECT_LOGGING_LEVEL", "INFO"))
    try:
        check_named_server()
    except ReidopsError as error:
        print(f"adapt: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    state = adapt(return_state=True)
    print(state.message)
    if not state.is_completed():
        sys.exit(1)


if __name__ == "__main__":
    main()
