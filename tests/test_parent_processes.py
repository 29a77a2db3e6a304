"""A stage ends with the DVC that runs it, whatever lies between them, and a stage without DVC lives on."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

WORKERS = """\
import os, time
from pathlib import Path
from reidops.parallel import map_parallel

def work(number):
    Path(f'{os.getpid()}.worker').touch()
    time.sleep(30)

if __name__ == '__main__':
    Path('pid').write_text(str(os.getpid()))
    map_parallel(work, range(4), 2)
"""
STAGE = """\
import os, signal, sys, time
from pathlib import Path
from reidops.parent_processes import end_with_dvc

end_with_dvc()
if 'tidy' in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: (Path('saved').touch(), sys.exit(1)))
Path('pid.partial').write_text(str(os.getpid()))
Path('pid.partial').rename('pid')
time.sleep(60)
"""


@pytest.fixture
def project(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder with a slow stage; what still runs after the test is killed."""
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.delenv("DVC_STAGE", raising=False)
    (tmp_path / "stage.py").write_text(STAGE)
    yield tmp_path
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def start_repro(folder: Path, command: str) -> subprocess.Popen:
    """Start a real `dvc repro` whose one stage is `command`."""
    (folder / "dvc.yaml").write_text(f"stages:\n  slow:\n    cmd: {command}\n")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "init", "--quiet", "--no-scm"], cwd=folder, check=True)
    with open(folder / "log", "w") as log:
        return subprocess.Popen([*dvc, "repro"], cwd=folder, stdout=log, stderr=log, start_new_session=True)


def wait_for_stage(folder: Path) -> psutil.Process:
    deadline = time.monotonic() + 60
    while not (folder / "pid").exists():
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.05)
    return psutil.Process(int((folder / "pid").read_text()))


@pytest.mark.parametrize(
    ("command", "shell", "signal_of_dvc"),
    [
        ("python stage.py", "/bin/bash", signal.SIGTERM),
        ("sh -c 'python stage.py; true' && true", "/bin/sh", signal.SIGKILL),  # two shells wait in between
    ],
)
def test_a_stage_ends_within_seconds_of_dvc(project, monkeypatch, command, shell, signal_of_dvc):
    monkeypatch.setenv("SHELL", shell)
    repro = start_repro(project, command.replace("python", sys.executable))
    stage = wait_for_stage(project)
    repro.send_signal(signal_of_dvc)
    repro.wait()
    psutil.wait_procs([stage], timeout=5)
    assert not stage.is_running()
    assert "slow: DVC has ended" in (project / "log").read_text()


def test_a_stage_that_handles_sigterm_can_save_first(project):
    repro = start_repro(project, f"{sys.executable} stage.py tidy")
    stage = wait_for_stage(project)
    repro.kill()
    repro.wait()
    psutil.wait_procs([stage], timeout=5)
    assert not stage.is_running() and (project / "saved").exists()


def test_a_stage_whose_dvc_ended_before_it_looked_ends_at_once(project):
    """It is adopted by a process of another session, as after a kill during the imports."""
    python = f"echo $$ > pid; sleep 0.5; DVC_STAGE=slow exec {sys.executable} -c 'exec(open(\"stage.py\").read())'"
    (project / "orphan.sh").write_text(python)
    subprocess.run(["setsid", "sh", "-c", "sh orphan.sh 2>log &"], cwd=project, check=True)
    stage = wait_for_stage(project)
    psutil.wait_procs([stage], timeout=20)
    assert not stage.is_running() and "slow: DVC has ended" in (project / "log").read_text()


def test_a_stage_that_was_started_by_hand_outlives_its_shell(project):
    subprocess.run(["sh", "-c", f"{sys.executable} stage.py >/dev/null 2>&1 &"], cwd=project, check=True)
    stage = wait_for_stage(project)
    time.sleep(1.5)
    assert stage.is_running() and stage.status() != psutil.STATUS_ZOMBIE


def test_the_workers_of_a_stage_end_with_it(project, monkeypatch):
    """Without a parent, workers of joblib wait five minutes for work."""
    monkeypatch.setenv("DVC_STAGE", "slow")
    (project / "workers.py").write_text(WORKERS)
    stage = subprocess.Popen([sys.executable, "workers.py"], cwd=project)
    while len(found := list(project.glob("*.worker"))) < 2:
        time.sleep(0.05)
        assert stage.poll() is None
    workers = [psutil.Process(int(path.stem)) for path in found]
    stage.terminate()
    stage.wait()
    _, living = psutil.wait_procs(workers, timeout=5)
    assert not living
