"""Shared fixtures: quiet tools, and the folder of real data if there is one."""

import gc
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from reidops.cores import usable_cores
from reidops.memory import free_nothing_at_exit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # mot_factory and its like
# what libraries ask the system while they are imported
LOOK_UPS = ("ldconfig", "gcc", "cc", "ld", "uname", "lscpu", "git", "file")

# What takes longest begins first, so that two processes of `--dist loadfile` end at about the same time.
LONGEST = (
    "test_pipeline.py",
    "test_published_networks.py",
    "test_train.py",
    "test_ranks.py",
    "test_benchmarks.py",
    "test_two_at_once.py",
    "test_registry.py",
    "test_tracking_benchmark.py",
    "test_killed_runs.py",
    "test_validate.py",
    "test_stage_runs.py",
    "test_sequence_suites.py",
    "test_register.py",
    "test_onnx.py",
    "test_adapt.py",
)

for name in ("DVC_NO_ANALYTICS", "DO_NOT_TRACK"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("DVC_STUDIO_OFFLINE", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "600")
# Test processes share the cores: the threads of each wait asleep, and neither they nor the processes that
# `map_parallel` starts are more than its cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    cores = str(max(1, usable_cores() // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])))
    os.environ.setdefault("OMP_NUM_THREADS", cores)
    os.environ.setdefault("LOKY_MAX_CPU_COUNT", cores)


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist take the files in the order of `LONGEST`; it would take those with many tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of `LONGEST` first, each file's tests in their order."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import files, and folders, of which every test is slow where slow tests are left out: it takes seconds."""
    if config.option.markexpr != "not slow":
        return None
    files = [collection_path] if collection_path.is_file() else list(collection_path.rglob("test_*.py"))
    return bool(files) and all(map(_is_slow, files)) or None


def _is_slow(path: Path) -> bool:
    """Return whether `path` marks all its tests as slow."""
    return re.search(r"^pytestmark = \[?pytest\.mark\.slow\b", path.read_text(), re.MULTILINE) is not None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Collect no garbage while the libraries are imported, and look for none in them later: they are never garbage.

    Later it is collected less often than by default, because what tests import and export grows to a large heap.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        gc.enable()


def pytest_unconfigure() -> None:
    """Free at the end what was left alone since the collection; a worker leaves its memory to the system."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        free_nothing_at_exit()
    else:
        gc.unfreeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let every test and its fixtures draw the same weights and maps, whatever ran before it in its process."""
    if "torch" in sys.modules:  # who draws none need not load it
        sys.modules["torch"].manual_seed(0)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Refuse processes, trainings and servers to a test, and to its fixtures, unless it is marked `slow`."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("slow") is None:
            patch.setattr(subprocess.Popen, "__init__", _start_look_up)
            patch.setattr(socketserver.TCPServer, "__init__", partial(_refuse, "server"))
            if "reidops.training.training" in sys.modules:
                patch.setattr(sys.modules["reidops.training.training"].Trainer, "fit", partial(_refuse, "training"))
        return (yield)


_start = subprocess.Popen.__init__


def _start_look_up(process: subprocess.Popen, command: object, *args: object, **kwargs: object) -> None:
    program = command if isinstance(command, str | Path) else next(iter(command))
    if Path(str(program).split()[0]).name not in LOOK_UPS:
        _refuse("process")
    _start(process, command, *args, **kwargs)


def _refuse(what: str, *_: object, **__: object) -> None:
    raise AssertionError(f"the fast lane starts no {what}: mark this test with @pytest.mark.slow")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data cuts ($REIDOPS_DATA, else ../shared/data); skip where there is none."""
    folder = Path(os.environ.get("REIDOPS_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "MOT17").is_dir():
        pytest.skip(f"no real data: {folder} does not hold MOT17 (set REIDOPS_DATA)")
    return folder
