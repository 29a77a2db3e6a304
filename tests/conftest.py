"""What several beds share: quiet tools, and the folder of real data where there is one."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # mot_factory and its like

for name in ("DVC_NO_ANALYTICS", "DO_NOT_TRACK"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("DVC_STUDIO_OFFLINE", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    # A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let every test and its fixtures draw the same weights and maps, whatever ran before it in its process."""
    if "torch" in sys.modules:  # who draws none need not load it
        sys.modules["torch"].manual_seed(0)


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
