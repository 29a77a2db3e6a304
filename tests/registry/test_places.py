"""A store that was moved or copied finds its artifacts, and another program's variables change nothing."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from reidops.command import main
from reidops.errors import ReidopsError
from reidops.registry.models import pull_model
from reidops.registry.places import ARTIFACTS, moved_from, relocate
from reidops.registry.store import check_place, open_store, tracking_uri, without_password


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)


def write_store(folder: Path, *, old: Path) -> Path:
    """Write the columns of MLflow's tables that hold addresses, as a repository at `old` left them."""
    folder.mkdir(parents=True, exist_ok=True)
    place = (old / ARTIFACTS).as_uri()
    with sqlite3.connect(folder / "mlflow.db") as database:
        database.execute("CREATE TABLE experiments (artifact_location TEXT)")
        database.execute("CREATE TABLE runs (artifact_uri TEXT)")
        database.execute("CREATE TABLE model_versions (source TEXT, storage_location TEXT)")
        database.execute("INSERT INTO experiments VALUES (?), ('s3://bucket/mlartifacts/x')", [f"{place}/my%20set"])
        database.execute("INSERT INTO runs VALUES (?), (NULL)", [f"{place}/my%20set/12/artifacts"])
        database.execute("INSERT INTO model_versions VALUES ('models:/m-1', ?)", [f"{old}/{ARTIFACTS}/x/models/m-1"])
    return folder / "mlflow.db"


def addresses(file: Path) -> list[tuple]:
    with sqlite3.connect(file) as database:
        return [
            row
            for table in ("experiments", "runs", "model_versions")
            for row in database.execute(f"SELECT * FROM {table}")
        ]


def test_addresses_follow_the_store_and_others_stay(tmp_path):
    file = write_store(tmp_path / "new place", old=tmp_path / "old place")
    assert relocate(file) == 3
    place = tmp_path / "new place" / ARTIFACTS
    assert addresses(file) == [
        (f"{place.as_uri()}/my%20set",),
        ("s3://bucket/mlartifacts/x",),
        (f"{place.as_uri()}/my%20set/12/artifacts",),
        (None,),
        ("models:/m-1", f"{place}/x/models/m-1"),
    ]
    assert relocate(file) == 0


def test_the_store_as_it_was_stays_beside_it(tmp_path):
    file = write_store(tmp_path / "b", old=tmp_path / "a")
    before = addresses(file)
    relocate(file)
    assert addresses(tmp_path / "b" / "mlflow.db.before-relocation") == before


@pytest.mark.parametrize(
    ("location", "moved"),
    [
        ("file:///gone/mlartifacts/x", "/gone/mlartifacts"),
        ("/gone/mlartifacts/x/1/artifacts", "/gone/mlartifacts"),
        ("file:///a%20b/mlartifacts/x", "/a b/mlartifacts"),
        ("s3://bucket/mlartifacts/x", None),
        ("mlflow-artifacts:/1", None),
        ("file:///shared/models/x", None),
        ("{here}/mlartifacts/x", None),
    ],
)
def test_only_addresses_of_another_place_of_this_store_are_moved(tmp_path, location, moved):
    found = moved_from(location.format(here=tmp_path), tmp_path / "mlflow.db")
    assert (None if found is None else str(found)) == moved


def test_a_store_of_another_place_is_refused_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(ReidopsError, match="mlflow.db: names /old/mlartifacts .*`reidops registry relocate`"):
        check_place("file:///old/mlartifacts/x")
    check_place("s3://bucket/x")


def test_the_command_relocates_the_store_of_the_repository(tmp_path, monkeypatch):
    write_store(tmp_path / "b", old=tmp_path / "a")
    (tmp_path / "b" / ".dvc").mkdir()
    (tmp_path / "b" / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "b" / "deep")
    outcome = CliRunner().invoke(main, ["registry", "relocate"])
    assert outcome.exit_code == 0 and "mlflow.db: 3 addresses" in outcome.output


@pytest.mark.parametrize(
    ("uri", "message"),
    [("", "mlflow.db: no such file"), ("http://host:1", "server's store"), ("sqlite:///x.txt", "no store")],
)
def test_what_cannot_be_relocated_is_one_line(tmp_path, monkeypatch, uri, message):
    (tmp_path / "x.txt").write_text("hello, this is no database of any kind" * 9)
    monkeypatch.chdir(tmp_path)
    if uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    outcome = CliRunner().invoke(main, ["registry", "relocate"])
    assert outcome.exit_code == 1 and message in outcome.output


def test_a_relative_store_lies_in_the_repository_in_a_temporary_experiment_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///own.db")
    monkeypatch.setenv("DVC_ROOT", "/somewhere/repository")
    assert tracking_uri() == "sqlite:////somewhere/repository/own.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking_uri() == "sqlite:////somewhere/repository/mlflow.db"


def test_pulling_in_another_folder_leaves_nothing_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReidopsError, match="mlflow.db: no such file; .*in the repository, or set the variable"):
        pull_model("models:/person-reid@champion")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "uri",
    ["postgresql+pg8000://me:secret@host/db", "mysql+mysqldb://me:secret@host/db", "mssql+pymssql://me:secret@host/db"],
)
def test_a_database_without_its_driver_is_named_without_its_password(monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with (
        pytest.raises(ReidopsError, match="needs a driver that is not installed.*install it, or unset") as fault,
        open_store(),
    ):
        pass
    assert "secret" not in str(fault.value) and "me:***@host" in str(fault.value)


def test_an_address_without_a_password_is_shown_as_it_is():
    assert without_password("http://host:5000/x") == "http://host:5000/x"


@pytest.mark.slow
def test_another_programs_run_gets_no_result(tmp_path, monkeypatch, caplog):
    import mlflow

    monkeypatch.chdir(tmp_path)
    with open_store() as client:
        foreign = client.create_run(client.create_experiment("foreign")).info
    monkeypatch.setenv("MLFLOW_RUN_ID", foreign.run_id)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", foreign.experiment_id)
    for _ in range(2):
        with open_store() as client:
            experiment = client.get_experiment_by_name("own") or client.create_experiment("own")
            with mlflow.start_run(experiment_id=getattr(experiment, "experiment_id", experiment)) as run:
                assert run.info.run_id != foreign.run_id and run.info.experiment_id != foreign.experiment_id
    assert caplog.text.count("MLFLOW_RUN_ID is set; it is not used") == 1


@pytest.mark.slow
def test_a_moved_repository_finds_what_it_logged_after_one_command(tmp_path, monkeypatch):
    import mlflow

    from reidops.registry.store import find_experiment

    old, new = tmp_path / "old", tmp_path / "new"
    (old / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(old)
    with open_store() as client, mlflow.start_run(experiment_id=find_experiment(client, "my set")) as run:
        mlflow.log_text("kept", "a.txt")
    shutil.move(old, new)
    monkeypatch.chdir(new)
    with pytest.raises(ReidopsError, match="registry relocate"), open_store() as client:
        find_experiment(client, "my set")
    relocate(new / "mlflow.db")
    with open_store() as client:
        find_experiment(client, "my set")
        assert Path(client.download_artifacts(run.info.run_id, "a.txt")).read_text() == "kept"
