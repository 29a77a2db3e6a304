"""The MLflow store: which one, whether it answers, and its errors in our words. The inner side of `registry.py`'s door.

The store is `MLFLOW_TRACKING_URI`, else `mlflow.db` and `mlartifacts/` in the repository.
"""

import hashlib
import logging
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

import mlflow
import requests
from filelock import FileLock
from mlflow.exceptions import MlflowException
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from reidops.errors import ReidopsError, Unreachable
from reidops.files import full_disk, named_when_full, whole_file
from reidops.registry.address import sqlite_file, tracking_uri, without_password
from reidops.registry.places import ARTIFACTS, moved_from

_REMEDY = "Everything computed is kept: mend MLFLOW_TRACKING_URI or the file, then run `dvc repro register`"
_QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
# Set by another program for its own run: MLflow would log our result into that run or experiment.
_FOREIGN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
_SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")
_FULL = "database or disk is full"  # sqlite's words
_NO_DATABASE = ("http", "file:", "databricks", "uc:", "sqlite:")

logger = logging.getLogger(__name__)
_warned: set[str] = set()  # variables that were warned of in this process


class StoreUnreachable(Unreachable):
    """The tracking server does not answer; the same command may succeed later."""


@contextmanager
def open_store(*, must_exist: bool = False) -> Iterator[mlflow.MlflowClient]:
    """Yield a client of a store that answers and has its tables; turn MLflow's errors into ours.

    Variables that name a run or an experiment of another program do not count within.

    Args:
        must_exist: make no sqlite file where there is none.

    Raises:
        StoreUnreachable: the server does not answer within seconds.
        ReidopsError: the store refuses what it was asked, needs a driver that is not installed, or does not exist.
    """
    uri = tracking_uri()
    file = sqlite_file(uri)
    if must_exist and file is not None and not file.is_file():
        raise ReidopsError(
            f"{file}: no such file; the registry is MLFLOW_TRACKING_URI, or else mlflow.db of the repository: start "
            "the command in the repository, or set the variable"
        )
    for noisy in ("mlflow.store.db.utils", "mlflow.pyfunc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # it would warn of a silent server at each sample
    logging.getLogger("mlflow.system_metrics").setLevel(logging.ERROR)
    try:
        # MLflow itself sets the variable when it gets an address; the next caller may use another store.
        with _without(*_FOREIGN), _environment(**_QUIET, MLFLOW_TRACKING_URI=uri):
            _find_driver(uri)
            _prepare_store(uri)  # with limits of its own, which later ones must not precede
            limits = _environment(MLFLOW_HTTP_REQUEST_MAX_RETRIES="3", MLFLOW_HTTP_REQUEST_TIMEOUT="60")
            with limits, named_when_full(_place(uri)):
                mlflow.set_tracking_uri(uri)
                yield mlflow.MlflowClient(uri)
    except MlflowException as error:
        raise _told(uri, error) from error
    except requests.RequestException as error:
        raise StoreUnreachable(_unanswered(uri, error)) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _full(uri, error) or ReidopsError(
            f"the tracking store {without_password(uri)} cannot be used ({_first_line(error)}). {_REMEDY}"
        ) from error


def _find_driver(uri: str) -> None:
    """Find out whether what a database's address needs is installed.

    Raises:
        ReidopsError: it is not.
    """
    if "://" not in uri or uri.startswith(_NO_DATABASE):
        return
    try:
        make_url(uri).get_dialect().import_dbapi()
    except ImportError as error:
        raise ReidopsError(
            f"the tracking store {without_password(uri)} needs a driver that is not installed ({_first_line(error)}): "
            f"install it, or unset MLFLOW_TRACKING_URI to use mlflow.db in this repository. {_REMEDY}"
        ) from None
    except (SQLAlchemyError, AttributeError):
        return  # no database's address, or one whose driver SQLAlchemy does not load itself: MLflow judges it


def _prepare_store(uri: str) -> None:
    """Ask the store for something small: an sqlite file gets its tables, a silent server is found out.

    Two first users of a new sqlite file would create its tables twice and crash each other, hence the lock.
    """
    file = sqlite_file(uri)
    if file is None:
        with _environment(MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_HTTP_REQUEST_TIMEOUT="10"):
            mlflow.MlflowClient(uri).search_experiments(max_results=1)
        return
    _make_folder(file)
    with FileLock(file.with_name(f"{file.name}.lock")):
        if not file.exists():
            _make_tables(file)
        mlflow.MlflowClient(uri).search_experiments(max_results=1)


def _make_tables(file: Path) -> None:
    """Write an sqlite store that is whole or not there; MLflow cannot go on with a half of its tables."""
    with (
        whole_file(file) as partial,
        tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder,
    ):
        made = Path(folder) / file.name
        mlflow.MlflowClient(f"sqlite:///{made}").search_experiments(max_results=1)
        with closing(sqlite3.connect(made)) as tables:
            tables.execute("VACUUM INTO ?", [str(partial)])


@contextmanager
def store_lock() -> Iterator[None]:
    """Let one process of this host at a time write a result to the store or move an alias.

    The lock file of an sqlite store is beside it; that of a server is in the folder for temporary files, for
    each user.
    """
    uri = tracking_uri()
    file = sqlite_file(uri)
    name = f"reidops-{os.getuid()}-{hashlib.sha256(uri.encode()).hexdigest()[:16]}.lock"
    place = Path(tempfile.gettempdir()) / name if file is None else file.with_name(f"{file.name}.register.lock")
    if file is not None:
        _make_folder(file)
    with FileLock(place):
        yield


def _make_folder(file: Path) -> None:
    """Make the folder of an sqlite store.

    Raises:
        ReidopsError: the system does not allow it.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReidopsError(f"the tracking store {file} cannot be made ({error}). {_REMEDY}") from None


def find_aliases(client: mlflow.MlflowClient, name: str) -> dict[str, str]:
    """Return alias → version of a registered model."""
    return {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()}


def find_experiment(client: mlflow.MlflowClient, name: str) -> str:
    """Return the id of an experiment, made where it is missing; beside an sqlite file its artifacts lie in
    `mlartifacts/`.
    """
    known = client.get_experiment_by_name(name)
    if known is not None:
        check_place(known.artifact_location)
        if known.lifecycle_stage != "active":
            client.restore_experiment(known.experiment_id)
        return known.experiment_id
    file = sqlite_file(tracking_uri())
    location = None if file is None else (file.resolve().parent / ARTIFACTS / name).as_uri()
    return client.create_experiment(name, artifact_location=location)


def check_place(location: str) -> None:
    """Check that artifacts of a store in an sqlite file lie beside it.

    Raises:
        ReidopsError: they lie beside where the file was before it was moved or copied; the command that mends it.
    """
    file = sqlite_file(tracking_uri())
    old = None if file is None else moved_from(location, file)
    if old is not None:
        raise ReidopsError(
            f"{file}: names {old} for its artifacts, since the repository was moved or copied; run `reidops registry "
            "relocate` to name the folder beside it"
        )


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


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Take variables out of the environment for the length of the block."""
    taken = {name: os.environ.pop(name) for name in names if name in os.environ}
    for name in taken.keys() - _warned:
        logger.warning("%s is set; it is not used, as a result is a run of its own", name)
        _warned.add(name)
    try:
        yield
    finally:
        os.environ.update(taken)


def _told(uri: str, error: MlflowException) -> ReidopsError:
    """Return MLflow's error in words that say what is kept and what to do."""
    text = _first_line(error)
    if "failed with exception" in text or "Max retries" in text:
        return StoreUnreachable(_unanswered(uri, error))
    schema = _SCHEMA.search(text)
    if schema is not None:
        return ReidopsError(_schema_text(uri, schema.group(1)))
    return _full(uri, error) or ReidopsError(
        f"the tracking store {without_password(uri)} refused: {text}. Everything computed is kept: `dvc repro "
        "register` goes on from here"
    )


def _schema_text(uri: str, found: str) -> str:
    """Return what to do if the tables of a store are those of another version of MLflow."""
    shown, version = without_password(uri), mlflow.__version__
    known = (file.name for file in files("mlflow.store.db_migrations.versions").iterdir())
    if any(name.startswith(f"{found}_") for name in known):
        return (
            f"the tracking store {shown} has the tables of an older MLflow (schema {found}) than this one ({version}). "
            f"Copy the database as a backup, run `mlflow db upgrade {shown}`, then `dvc repro register`; everything "
            "computed is kept"
        )
    return (
        f"the tracking store {shown} has the tables of a newer MLflow (schema {found}) than this one ({version}). "
        "Install the version of MLflow that wrote it, then run `dvc repro register`; everything computed is kept"
    )


def _place(uri: str) -> Path:
    """Return the folder of the files of a store; of a server, only temporary files lie on this host."""
    file = sqlite_file(uri)
    return Path(tempfile.gettempdir()) if file is None else file.parent / ARTIFACTS


def _full(uri: str, error: Exception) -> ReidopsError | None:
    """Return the error of a full disk if sqlite reports one."""
    return full_disk(str(sqlite_file(uri)), _FULL) if _FULL in str(error) else None


def _unanswered(uri: str, error: Exception) -> str:
    return (
        f"the tracking server {without_password(uri)} does not answer ({_first_line(error)}). Everything computed is "
        "kept: start the server, or unset MLFLOW_TRACKING_URI to use mlflow.db in this repository, then run "
        "`dvc repro register`"
    )


def _first_line(error: Exception) -> str:
    return without_password((str(error).splitlines() or [type(error).__name__])[0][:300])
