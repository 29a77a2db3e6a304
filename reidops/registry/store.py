"""The MLflow store: which one, whether it answers, and its errors in our words. The inner side of `registry.py`'s door.

The store is `MLFLOW_TRACKING_URI`, else `mlflow.db` and `mlartifacts/` in the repository.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from reidops.errors import ReidopsError, Unreachable
from reidops.files import repository_root

_REMEDY = "Everything computed is kept: mend MLFLOW_TRACKING_URI or the file, then run `dvc repro register`"
_QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


class StoreUnreachable(Unreachable):
    """The tracking server does not answer; the same command may succeed later."""


def tracking_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, else the sqlite file of this repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{repository_root().resolve() / 'mlflow.db'}"


@contextmanager
def open_store() -> Iterator[mlflow.MlflowClient]:
    """Yield a client of a store that answers and has its tables; turn MLflow's errors into ours.

    Raises:
        StoreUnreachable: the server does not answer within seconds.
        ReidopsError: the store refuses what it was asked.
    """
    uri = tracking_uri()
    for noisy in ("mlflow.store.db.utils", "mlflow.pyfunc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # it would warn of a silent server at each sample
    logging.getLogger("mlflow.system_metrics").setLevel(logging.ERROR)
    try:
        _prepare_store(uri)
        # MLflow itself sets the variable when it is told an address; the next caller may mean another store.
        with _environment(
            **_QUIET, MLFLOW_TRACKING_URI=uri, MLFLOW_HTTP_REQUEST_MAX_RETRIES="3", MLFLOW_HTTP_REQUEST_TIMEOUT="60"
        ):
            mlflow.set_tracking_uri(uri)
            yield mlflow.MlflowClient(uri)
    except MlflowException as error:
        raise _told(uri, error) from error
    except SQLAlchemyError as error:
        raise ReidopsError(
            f"the tracking store {uri} cannot be used ({str(error).splitlines()[0][:300]}). {_REMEDY}"
        ) from error


def _prepare_store(uri: str) -> None:
    """Ask the store for something small: an sqlite file gets its tables, a silent server is found out.

    Two first users of a new sqlite file would create its tables twice and crash each other, hence the lock.
    """
    file = sqlite_file(uri)
    if file is None:
        with _environment(MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_HTTP_REQUEST_TIMEOUT="10"):
            mlflow.MlflowClient(uri).search_experiments(max_results=1)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReidopsError(f"the tracking store {uri} cannot be made ({error}). {_REMEDY}") from None
    with FileLock(file.with_name(f"{file.name}.lock")):
        mlflow.MlflowClient(uri).search_experiments(max_results=1)


def find_experiment(client: mlflow.MlflowClient, name: str) -> str:
    """Return the id of an experiment, made where it is missing; beside an sqlite file its artifacts lie in
    `mlartifacts/`.
    """
    known = client.get_experiment_by_name(name)
    if known is not None:
        if known.lifecycle_stage != "active":
            client.restore_experiment(known.experiment_id)
        return known.experiment_id
    file = sqlite_file(tracking_uri())
    location = None if file is None else (file.resolve().parent / "mlartifacts" / name).as_uri()
    return client.create_experiment(name, artifact_location=location)


def sqlite_file(uri: str) -> Path | None:
    """Return the file behind an sqlite URI, None for other stores."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Set environment variables that the user has not set, for the length of the block."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _told(uri: str, error: MlflowException) -> ReidopsError:
    """Return MLflow's error in words that say what is kept and what to do."""
    text = str(error).splitlines()[0][:300]
    if "failed with exception" in text or "Max retries" in text:
        return StoreUnreachable(
            f"the tracking server {uri} does not answer ({text}). Everything computed is kept: start the server, or "
            f"unset "
            "MLFLOW_TRACKING_URI to use mlflow.db in this repository, then run `dvc repro register`"
        )
    return ReidopsError(
        f"the tracking store {uri} refused: {text}. Everything computed is kept: `dvc repro register` goes on from here"
    )
