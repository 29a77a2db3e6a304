"""A store whose tables are of another version of MLflow, and one whose disk is full: what to do is said."""

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow.store.db.utils as mlflow_db
import pytest
from alembic import command
from empty_store import write_empty_store
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine

from reidops.errors import ReidopsError
from reidops.registry.store import open_store

OLDER = "bf29a5ff90ea"  # a schema of MLflow 2


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path / "mlflow.db"


def write_older_store(file: Path) -> None:
    """Write the tables of an older MLflow with one experiment, as that version made them."""
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    config = mlflow_db._get_alembic_config(str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLDER)
    with closing(sqlite3.connect(file)) as store:
        store.execute("INSERT INTO experiments (name, lifecycle_stage) VALUES ('reid', 'active')")
        store.commit()


def name_schema(file: Path, schema: str) -> None:
    with closing(sqlite3.connect(file)) as store:
        store.execute("UPDATE alembic_version SET version_num = ?", [schema])
        store.commit()


@pytest.mark.slow
def test_mlflow_upgrades_a_store_that_lacks_its_tables_and_nothing_is_lost(file):
    write_older_store(file)
    with open_store() as client:
        assert client.get_experiment_by_name("reid") is not None


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            OLDER,
            r"an older MLflow \(schema {schema}\).*Copy .* as a backup, run `mlflow db upgrade sqlite:///{file}`, then",
        ),
        ("ffffffffffff", r"a newer MLflow \(schema {schema}\).*Install the version of MLflow that wrote it, then"),
    ],
)
def test_a_store_of_another_schema_is_left_as_it_is_with_what_to_do(file, schema, message):
    """All tables are there and some columns may not be: MLflow refuses it."""
    write_empty_store(file)
    name_schema(file, schema)
    before = file.read_bytes()
    with pytest.raises(ReidopsError, match=message.format(schema=schema, file=file)), open_store():
        pass
    assert file.read_bytes() == before


def test_a_store_whose_disk_is_full_while_its_tables_are_made_is_made_by_the_next_run(file):
    """A file size limit of the process simulates the full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(ReidopsError), open_store():
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in file.parent.iterdir() if not path.name.endswith(".lock")] == []
    with open_store() as client:
        assert client.search_experiments()


def test_a_store_on_a_full_disk_is_told(file):
    write_empty_store(file)
    with pytest.raises(ReidopsError, match=rf"{file}: no space is left on its disk .*free some space"), open_store():
        with create_engine(f"sqlite:///{file}").connect() as store:
            store.exec_driver_sql("PRAGMA max_page_count = 1")
            store.exec_driver_sql("CREATE TABLE more (x)")
    with pytest.raises(ReidopsError, match="mlartifacts: no space is left"), open_store():
        Path("/dev/full").write_bytes(b"an artifact")
