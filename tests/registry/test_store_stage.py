"""DVC registers a result again in another MLflow store, and in the same store only once."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reidops.registry import address

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_another_store_runs_the_registration_again_and_the_same_store_does_not(tmp_path):
    """The stage `store` of dvc.yaml, with a `register` that only counts how often it runs."""
    store = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["store"] | {"deps": []}
    register = {"cmd": "mkdir -p data/registration && echo x >> runs", "deps": ["data/store"]}
    register["outs"] = [{"data/registration": {"cache": False}}]
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"store": store, "register": register}}))
    clean = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "DVC_ROOT")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def repro(**changes: str) -> int:
        environment = {**clean, "PYTHONPATH": str(ROOT), "PATH": path, **changes}
        command = [sys.executable, "-m", "dvc", "repro", "--quiet"]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
        return (tmp_path / "runs").read_text().count("x")

    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], cwd=tmp_path, env=clean, check=True)
    assert [repro(), repro()] == [1, 1]
    other = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}
    assert [repro(**other), repro(**other), repro()] == [2, 2, 3]


def test_a_full_disk_is_one_line_and_no_traceback(tmp_path, monkeypatch, capsys):
    def refuse(data: object, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(address, "write_json", refuse)
    monkeypatch.setattr(sys, "argv", ["address", str(tmp_path / "store")])
    with pytest.raises(SystemExit, match="^1$"):
        address.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"store: error: {tmp_path}/store: no space is left on its disk")
