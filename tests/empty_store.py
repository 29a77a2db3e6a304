"""An MLflow store without runs: its tables are made once per process, which takes seconds, and copied."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reidops.registry.store import open_store


def write_empty_store(file: Path) -> None:
    """Write an sqlite file that holds MLflow's tables and its default experiment."""
    file.write_bytes(_tables())


@cache
def _tables() -> bytes:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        with open_store():
            pass
        with closing(sqlite3.connect(f"{folder}/mlflow.db")) as store:
            store.execute("VACUUM INTO ?", [f"{folder}/whole.db"])  # with what a write-ahead log may still hold
        return Path(folder, "whole.db").read_bytes()
