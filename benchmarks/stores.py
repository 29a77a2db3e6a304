"""What a stopped MLflow server and an older store do to `register`: trials of benchmarks/conditions.py."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import mlflow
import mlflow.store.db.utils as mlflow_db
import requests
from alembic import command
from clones import Clone, Row, copied
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine

OLDER = "bf29a5ff90ea"  # a schema of MLflow 2
OUTAGES = (3.0, 60.0)  # seconds: within and beyond the patience of a call
TEMPORARY = "exited with 75"
START_SECONDS = 600.0
REGISTER = ("repro", "--single-item", "--force", "register")


def try_stores(base: Clone, folder: Path) -> Iterator[Row]:
    """Yield a row for a server that is stopped for a moment, one for a longer time, and an older store."""
    for outage in OUTAGES:
        yield _stop_server(base, folder, outage)
    with copied(base, folder) as clone:
        _write_older_store(folder / "mlflow.db")
        ended = clone.dvc(*REGISTER)
        versions = _count(f"sqlite:///{folder / 'mlflow.db'}")
        found = f"{'registered' if ended.code == 0 else ended.message}; versions: {versions}"
        yield Row("MLflow store of an older schema during `register`", found, ended.code == 0 and versions == 1)


def _stop_server(base: Clone, folder: Path, outage: float) -> Row:
    with copied(base, folder) as clone:
        shutil.rmtree(clone.folder / "mlartifacts", ignore_errors=True)
        (clone.folder / "mlflow.db").unlink()
        port = _free_port()
        uri = f"http://127.0.0.1:{port}"
        server = _start_server(clone, port)
        with clone.start([sys.executable, "-m", "dvc", *REGISTER], MLFLOW_TRACKING_URI=uri) as process:
            while not _has_run(uri) and process.poll() is None:
                time.sleep(0.05)
            _stop(server)
            time.sleep(outage)
            server = _start_server(clone, port)
            text, _ = process.communicate()
        again = clone.dvc(*REGISTER, MLFLOW_TRACKING_URI=uri)
        versions, code = _count(uri), process.returncode
        _stop(server)
        first = "went on" if code == 0 else "temporary failure, exit 75" if TEMPORARY in text else "failed"
        left = text.strip().splitlines()[-2] if code else ""
        found = f"{first}; the next run {'finished' if again.code == 0 else 'failed'}; versions: {versions} {left}"
        holds = (code == 0 or TEMPORARY in text) and again.code == 0 and versions == 1
        return Row(f"MLflow server stopped for {outage:.0f} s + its start during `register`", found, holds)


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def _start_server(clone: Clone, port: int) -> subprocess.Popen[str]:
    """Start a server on the database of a clone, and wait until it answers."""
    options = ["--backend-store-uri", f"sqlite:///{clone.folder}/server.db", "--workers", "1"]
    places = ["--artifacts-destination", str(clone.folder / "artifacts"), "--port", str(port)]
    with open(clone.folder / "server.log", "a") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *options, *places],
            cwd=clone.folder,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                return server
        except requests.RequestException:
            time.sleep(0.2)
    sys.exit(f"conditions: no MLflow server on port {port}; see {clone.folder}/server.log")


def _stop(server: subprocess.Popen[str]) -> None:
    """Kill a server and its workers."""
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _has_run(uri: str) -> bool:
    """Return whether a result is being logged at this moment."""
    return bool(mlflow.MlflowClient(uri).search_runs(_experiments(uri), max_results=1))


def _experiments(uri: str) -> list[str]:
    return [experiment.experiment_id for experiment in mlflow.MlflowClient(uri).search_experiments()]


def _count(uri: str) -> int:
    """Return the number of versions of all registered models."""
    return len(mlflow.MlflowClient(uri).search_model_versions())


def _write_older_store(file: Path) -> None:
    """Replace a store by the tables that an older MLflow makes."""
    file.unlink()
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    config = mlflow_db._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLDER)
