"""Log a result to MLflow, register its model, and download registered models. `champion.py` promotes them."""

import base64
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # MLflow reads this at import

import mlflow
import numpy as np
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, ViewType
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from reidops.embedding.description import golden_crop
from reidops.errors import ReidopsError
from reidops.files import read_json
from reidops.registry.changes import CHALLENGER
from reidops.registry.live_run import find_training
from reidops.registry.owners import OWNER, is_living, own_tag
from reidops.registry.result import Result
from reidops.registry.store import (
    StoreUnreachable,
    check_place,
    find_aliases,
    find_experiment,
    open_store,
    store_lock,
    tracking_uri,
    without_password,
)
from reidops.serving.crop_inputs import encode_png
from reidops.serving.packing import REQUIREMENTS, packed_code

log = logging.getLogger(__name__)

MODEL_FILES = ("model.safetensors", "embedder.json", "model.onnx", "calibration.json")
_MODEL, _FOLDER = "model", "embedder"  # the logged model in its run, the folder of its files inside it
_CALL_LIMIT = 100  # params in one call; the limit of MLflow
_METRIC_LIMIT = 900  # metrics in one call; the limit of MLflow is 1000


@dataclass(frozen=True)
class Registered:
    """A model version; `is_new` is false if the same model was registered before."""

    name: str
    version: str
    is_new: bool


def log_result(result: Result, experiment: str) -> str:
    """Log a result as one run, unless it was logged before, and return the run's id."""
    with store_lock(), open_store() as client:
        experiment_id = find_experiment(client, experiment)
        finished = _discard_broken(client, experiment_id, result)
        if finished:
            log.info("the same result was logged before, as run %s", finished)
            return finished
        tags = {**result.tags, "mlflow.note.content": result.description, **own_tag()}
        tags |= _training_tags(client, result.weights_sha256)
        with mlflow.start_run(
            experiment_id=experiment_id, run_name=result.name, tags=tags, log_system_metrics=False
        ) as run:
            _log_figures(client, run.info.run_id, result)
            _log_documents(client, run.info.run_id, result)
            for path, folder in result.files.items():
                client.log_artifact(run.info.run_id, str(path), folder)
        client.delete_tag(run.info.run_id, OWNER)
    log.info(
        "logged %d params, %d of %d metrics and %d files as run %s",
        len(result.params),
        len(result.shown),
        len(result.metrics),
        len(result.files),
        run.info.run_id,
    )
    return run.info.run_id


def _training_tags(client: mlflow.MlflowClient, weights_sha256: str) -> dict[str, str]:
    """Return the tag that makes the training run of these weights the parent; {} if the training was not tracked."""
    training = find_training(client, weights_sha256)
    return {} if training is None else {"mlflow.parentRunId": training}


def _discard_broken(client: mlflow.MlflowClient, experiment_id: str, result: Result) -> str | None:
    """Return the finished run of the same result, or None; delete its runs whose process has ended."""
    same = client.search_runs(
        [experiment_id], f"tags.`result.digest` = '{result.digest}'", run_view_type=ViewType.ACTIVE_ONLY
    )
    for run in same:
        if run.info.status == "RUNNING" and is_living(run.data.tags, run.info.start_time):
            log.warning("run %s holds the same result and is still being written; it is left alone", run.info.run_id)
        elif run.info.status != "FINISHED":
            client.delete_run(run.info.run_id)
    return next((run.info.run_id for run in same if run.info.status == "FINISHED"), None)


def _log_documents(client: mlflow.MlflowClient, run_id: str, result: Result) -> None:
    client.log_dict(run_id, asdict(result.lineage), "lineage.json")
    client.log_dict(run_id, dict(result.metrics), "metrics.json")


def _log_figures(client: mlflow.MlflowClient, run_id: str, result: Result) -> None:
    """Log params, metrics, curves and data sets in few calls, because each HTTP call has a high overhead."""
    now = int(mlflow.get_run(run_id).info.start_time)
    metrics = [Metric(name, value, now, 0) for name, value in result.shown.items()]
    metrics += [Metric(name, value, now, step) for name, step, value in result.curves]
    params = [Param(name, value) for name, value in result.params.items()]
    for start in range(0, len(params), _CALL_LIMIT):
        client.log_batch(run_id, params=params[start : start + _CALL_LIMIT])
    for start in range(0, len(metrics), _METRIC_LIMIT):
        client.log_batch(run_id, metrics=metrics[start : start + _METRIC_LIMIT])
    client.log_inputs(
        run_id,
        datasets=[
            DatasetInput(
                Dataset(
                    data.name,
                    data.digest,
                    source_type="local",
                    source=json.dumps({"uri": data.source}),
                    profile=data.profile,
                ),
                [InputTag("mlflow.data.context", data.roles or "unused")],
            )
            for data in result.datasets
        ],
    )


def register_model(
    name: str, run_id: str, files: Mapping[str, Path], tags: Mapping[str, str], *, candidate_only: bool = False
) -> Registered:
    """Return the version with these weights and thresholds; register it if there is none.

    `files` maps each of MODEL_FILES to its path. `tags` identify the content (`weights.sha256`, `calibration.sha256`):
    a version with equal tags is the same model. The alias `challenger` is moved to the version, unless it is
    `candidate_only`.
    """
    with store_lock(), open_store() as client:
        known = _find_version(client, name, tags)
        version = known or _first_version(client, name, _add_version(client, name, run_id, files, tags), tags)
        if not candidate_only:
            client.set_registered_model_alias(name, CHALLENGER, version)
    log.info("%s version %s %s", name, version, "was registered before" if known else "is registered")
    return Registered(name, version, is_new=known is None)


def _first_version(client: mlflow.MlflowClient, name: str, added: str, tags: Mapping[str, str]) -> str:
    """Return the first of the versions with these tags; delete the added one if another host was faster.

    The server counts the versions, so that all hosts find the same first one.
    """
    first = _find_version(client, name, tags, pick=min) or added
    if first != added:
        client.delete_model_version(name, added)
    return first


def _find_version(
    client: mlflow.MlflowClient, name: str, tags: Mapping[str, str], pick: Callable[..., str | None] = max
) -> str | None:
    """Return the newest version with all these tags, or the one that `pick` chooses by number; None without one."""
    conditions = [f"name = '{name}'", *(f"tags.`{key}` = '{value}'" for key, value in sorted(tags.items()))]
    versions = client.search_model_versions(" and ".join(conditions))
    return pick((str(found.version) for found in versions), key=int, default=None)


def _add_version(
    client: mlflow.MlflowClient, name: str, run_id: str, files: Mapping[str, Path], tags: Mapping[str, str]
) -> str:
    """Log the model to its run and register it; the version is created with its tags in one call."""
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    with mlflow.start_run(run_id=run_id, log_system_metrics=False):
        model = _log_pyfunc(files)
    version = client.create_model_version(name, model.model_uri, run_id, dict(tags), model_id=model.model_id)
    return str(version.version)


def _log_pyfunc(files: Mapping[str, Path]) -> ModelInfo:
    """Log the files and the code that serves them to the active run."""
    with tempfile.TemporaryDirectory() as temporary, packed_code(Path(temporary)) as code:
        folder = Path(temporary) / _FOLDER
        folder.mkdir()
        for name, path in files.items():
            shutil.copyfile(path, folder / name)
        description = read_json(folder / "embedder.json")
        return mlflow.pyfunc.log_model(
            name=_MODEL,
            python_model=str(code.model),
            artifacts={_FOLDER: str(folder)},
            code_paths=[str(code.package)],
            signature=model_signature(description["dim"]),
            input_example=[base64.b64encode(encode_png(golden_crop(40, 21))).decode()],
            pip_requirements=[f"{name}=={installed_version(name)}" for name in REQUIREMENTS],
            metadata={
                "colour_order": "arrays are BGR unless the param colour_order is rgb",
                "gates": read_json(folder / "calibration.json").get("gates", {}),
                "weights_sha256": description["weights_sha256"],
            },
        )


def model_signature(dim: int) -> ModelSignature:
    """Return the signature of the model: float32 [N, dim], and the param `colour_order` of arrays.

    It has no inputs, because MLflow has no type for pictures of different sizes or encodings; `predict` checks them.
    """
    order = ParamSpec("colour_order", DataType.string, "bgr")
    return ModelSignature(outputs=Schema([TensorSpec(np.dtype("float32"), (-1, dim))]), params=ParamSchema([order]))


def log_card(registered: Registered, run_id: str, page: str, short: str) -> None:
    """Log the model card to the run, and write its short form as the description of the version."""
    with open_store() as client:
        client.log_text(run_id, page, "card.html")
        client.update_model_version(registered.name, registered.version, short)


def note(registered: Registered, text: str) -> None:
    """Write the description of a version that has no model card."""
    with open_store() as client:
        client.update_model_version(registered.name, registered.version, text)


def describe(registered: Registered, run_id: str) -> dict[str, Any]:
    """Return the content of version.json: the version, its aliases and links to it."""
    uri = without_password(tracking_uri())
    with open_store() as client:
        aliases = find_aliases(client, registered.name)
        experiment_id = client.get_run(run_id).info.experiment_id
    links = {
        "run": f"{uri}/#/experiments/{experiment_id}/runs/{run_id}",
        "version": f"{uri}/#/models/{registered.name}/versions/{registered.version}",
    }
    return {
        "name": registered.name,
        "version": registered.version,
        "run_id": run_id,
        "aliases": sorted(alias for alias, target in aliases.items() if target == registered.version),
        "tracking_uri": uri,
        "links": links if uri.startswith("http") else {"ui": f"mlflow ui --backend-store-uri {uri}"},
    }


def _check_artifacts(client: mlflow.MlflowClient) -> None:
    """Check that the experiments of an sqlite store keep their artifacts beside it.

    Raises:
        ReidopsError: the repository was moved or copied.
    """
    for experiment in client.search_experiments():
        check_place(experiment.artifact_location)


def pull_model(uri: str, folder: Path | None = None) -> Path:
    """Download a model and return the folder of its files, for `Embedder.load`.

    Args:
        uri: a model URI of MLflow, e.g. `models:/person-reid@champion` or `models:/person-reid/3`.
        folder: the destination; None = a temporary folder (a store on the local disk is read in place).

    Raises:
        ReidopsError: the model, version or alias does not exist.
    """
    try:
        with open_store(must_exist=True) as client:
            _check_artifacts(client)
            place = Path(mlflow.artifacts.download_artifacts(uri, dst_path=None if folder is None else str(folder)))
    except StoreUnreachable:
        raise
    except ReidopsError as error:
        raise ReidopsError(
            f"{uri} cannot be downloaded from {without_password(tracking_uri())}: {error.__cause__ or error}"
        ) from error
    found = sorted(place.rglob("embedder.json"))
    if not found:
        raise ReidopsError(f"{uri} has no embedder.json, so it was not registered by this pipeline")
    return found[0].parent
