"""Stages run as DVC runs them, and how they end differs."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from flows import stage_runs
from flows.stage_runs import StageBusy, StageFailed, StageLocked, interrupt, read_graph, reproduce_stage
from reidops.errors import ReidopsError

pytestmark = pytest.mark.slow

GRAPH = """\
stages:
  tell:
    cmd: cat cut.txt cook.txt > tell.txt
    deps: [cut.txt, cook.txt]
    outs: [tell.txt]
  cut:
    cmd: cat fetch.txt > cut.txt
    deps: [fetch.txt]
    outs: [cut.txt]
  cook:
    cmd: cat fetch.txt > cook.txt
    deps: [fetch.txt]
    outs: [cook.txt]
  fetch:
    cmd: echo fetching && echo x > fetch.txt
    outs: [fetch.txt]
"""


def toy_repository(folder: Path, graph: str = GRAPH) -> Path:
    """Return a DVC repository without git that holds `graph`."""
    (folder / "dvc.yaml").write_text(graph)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], cwd=folder, check=True)
    return folder


def failing_repository(folder: Path, script: str) -> Path:
    """Return a DVC repository whose one stage, fetch, runs a Python script."""
    (folder / "script.py").write_text(script)
    return toy_repository(folder, "stages:\n  fetch:\n    cmd: python script.py\n")


def run(name: str, folder: Path, lines: list[str] | None = None) -> str:
    return reproduce_stage(name, folder, [].append if lines is None else lines.append, set()).outcome


def test_the_graph_is_read_in_an_order_in_which_it_can_run(tmp_path):
    graph = read_graph(toy_repository(tmp_path))
    assert graph.stale == set(graph.needs)
    assert {name: set(needs) for name, needs in graph.needs.items()} == {
        "fetch": set(),
        "cut": {"fetch"},
        "cook": {"fetch"},
        "tell": {"cut", "cook"},
    }
    order = list(graph.needs)
    assert order[0] == "fetch" and order[-1] == "tell"


def test_a_stage_runs_once_then_is_unchanged_and_tells_its_lines(tmp_path):
    toy_repository(tmp_path)
    lines: list[str] = []
    assert run("fetch", tmp_path, lines) == "ran"
    assert "fetching" in lines
    assert run("fetch", tmp_path) == "unchanged"
    assert run("cut", tmp_path) == "ran"
    (tmp_path / "cut.txt").unlink()
    (tmp_path / "dvc.lock").unlink()
    assert run("cut", tmp_path) == "restored from the cache"


def test_a_failure_says_what_the_stage_said(tmp_path):
    failing_repository(
        tmp_path, "import sys; print('working'); sys.exit('fetch: error: a.zip: is no archive; ask for another')"
    )
    with pytest.raises(StageFailed) as caught:
        run("fetch", tmp_path)
    assert str(caught.value) == "fetch: error: a.zip: is no archive; ask for another"


def test_a_server_that_does_not_answer_is_told_from_a_failure(tmp_path):
    failing_repository(
        tmp_path, "import sys; print('error: the tracking server does not answer', file=sys.stderr); sys.exit(75)"
    )
    with pytest.raises(StageBusy, match="the tracking server does not answer"):
        run("fetch", tmp_path)


def test_a_traceback_of_a_stage_is_one_line(tmp_path):
    failing_repository(tmp_path, "def f():\n    raise ValueError('the table is empty')\nf()\n")
    with pytest.raises(StageFailed) as caught:
        run("fetch", tmp_path)
    assert str(caught.value) == "fetch: ValueError: the table is empty"


def test_only_stages_that_changed_and_what_depends_on_them_are_stale(tmp_path):
    toy_repository(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=tmp_path, check=True)
    assert read_graph(tmp_path).stale == frozenset()
    (tmp_path / "cook.txt").write_text("edited")
    assert read_graph(tmp_path).stale == {"cook", "tell"}


def test_a_stage_whose_output_is_damaged_in_the_cache_is_stale_although_dvc_sees_no_change(tmp_path, caplog):
    """DVC trusts the time of a file and the mode of an object; a fault of the disk changes neither."""
    toy_repository(tmp_path)
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=tmp_path, check=True)
    digest = hashlib.md5((tmp_path / "tell.txt").read_bytes()).hexdigest()
    stored = tmp_path / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    state = stored.stat()
    stored.chmod(0o644)
    stored.write_bytes(b"?" * state.st_size)
    stored.chmod(0o444)
    (tmp_path / "tell.txt").unlink()
    os.link(stored, tmp_path / "tell.txt")
    os.utime(stored, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert read_graph(tmp_path).stale == {"tell"}
    assert "tell.txt: its object in DVC's cache was damaged" in caplog.text
    assert run("tell", tmp_path) == "ran"


def test_a_graph_that_dvc_cannot_read_is_one_line(tmp_path):
    toy_repository(tmp_path, "stages:\n  fetch: {outs: [x]}\n")
    with pytest.raises(ReidopsError, match=r"^\S+: DVC cannot read the graph: [^\n]+$"):
        read_graph(tmp_path)


def test_a_dvc_repro_that_runs_the_same_stage_is_told_from_a_failure(tmp_path):
    """Two real DVC processes: DVC writes who blocks it into the line that says that the stage failed."""
    command = "touch begun && until [ -e go ]; do sleep 0.1; done && touch fetch.txt"
    toy_repository(tmp_path, f"stages:\n  fetch:\n    cmd: {command}\n    outs: [fetch.txt]\n")
    with subprocess.Popen([sys.executable, "-m", "dvc", "repro"], cwd=tmp_path, stdout=subprocess.DEVNULL) as other:
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        try:
            with pytest.raises(StageLocked, match=rf"^fetch: '.*fetch.txt' is busy, .* \(PID {other.pid}\): [^\n]*dvc"):
                run("fetch", tmp_path)
        finally:
            (tmp_path / "go").touch()
    assert run("fetch", tmp_path) == "unchanged"


def test_dvcs_advice_to_push_is_not_logged(tmp_path):
    lines: list[str] = []
    assert run("fetch", toy_repository(tmp_path), lines) == "ran"
    assert lines and not [line for line in lines if "dvc push" in line]


def test_a_lock_that_another_dvc_holds_is_told_from_a_failure(tmp_path):
    toy_repository(tmp_path)
    holder = "from dvc.repo import Repo\nwith Repo('.').lock:\n    print('held', flush=True)\n    input()"
    with subprocess.Popen(
        [sys.executable, "-c", holder], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(StageBusy, match="Unable to acquire lock"):
            run("fetch", tmp_path)
        process.communicate("\n")


def test_a_stage_that_dvc_always_runs_is_settled_before_the_others_are_compared(tmp_path):
    """As `store`: what needs it is stale only if it wrote something else."""
    graph = (
        "stages:\n  store:\n    cmd: cat address > store.txt\n    always_changed: true\n    outs: [store.txt]\n"
        "  register:\n    cmd: cat store.txt > register.txt\n    deps: [store.txt]\n    outs: [register.txt]\n"
    )
    (tmp_path / "address").write_text("here")
    toy_repository(tmp_path, graph)
    assert read_graph(tmp_path).stale == {"register"}
    assert run("register", tmp_path) == "ran" and read_graph(tmp_path).stale == frozenset()
    (tmp_path / "address").write_text("elsewhere")
    assert read_graph(tmp_path).stale == {"register"}


def test_a_stage_ends_with_a_flow_that_is_killed(tmp_path, root):
    """The flow, DVC and the stage are three processes; DVC would go on alone and keep its lock."""
    toy_repository(tmp_path, "stages:\n  fetch:\n    cmd: echo $PPID > new && mv new dvc.pid && sleep 600\n")
    flow = (
        "from pathlib import Path; from flows.stage_runs import reproduce_stage as r; r('fetch', Path(), print, set())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", flow],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
    )
    while not (tmp_path / "dvc.pid").exists():
        time.sleep(0.05)
    dvc = psutil.Process(int((tmp_path / "dvc.pid").read_text()))
    process.kill()
    process.wait()
    psutil.wait_procs([dvc], timeout=60)
    assert not dvc.is_running()


def test_an_interrupted_run_takes_its_stage_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(stage_runs, "GRACE_SECONDS", 1.0)
    toy_repository(tmp_path, "stages:\n  fetch:\n    cmd: touch begun && sleep 600 && touch ended\n")
    running: set[subprocess.Popen[str]] = set()
    errors: list[Exception] = []

    def reproduce() -> None:
        try:
            reproduce_stage("fetch", tmp_path, [].append, running)
        except StageFailed as error:
            errors.append(error)

    thread = threading.Thread(target=reproduce)
    thread.start()
    while not (tmp_path / "begun").exists():
        time.sleep(0.05)
    interrupt(list(running))
    thread.join(timeout=120)
    assert not thread.is_alive() and len(errors) == 1
    assert not (tmp_path / "ended").exists()
