"""A service that replaced its model returns the freed memory (reidops/memory.py)."""

import platform
import time
from pathlib import Path

import psutil
import pytest
from service_parts import FakeSource, two_models
from starlette.testclient import TestClient

from reidops.memory import return_freed_memory
from reidops.service import application
from reidops.service.application import Service, create_application
from reidops.service.metrics import Metrics
from reidops.service.served_model import CurrentModel
from reidops.service.settings import ServiceSettings


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed blocks")
def test_freed_blocks_below_one_in_use_are_returned():
    memory = psutil.Process().memory_info
    blocks = [bytearray(b"x" * 100_000) for _ in range(600)]
    used = blocks[-1]
    blocks.clear()
    before = memory().rss
    return_freed_memory()
    assert (before - memory().rss) / 2**20 > 30
    assert len(used) == 100_000


def test_a_running_service_returns_freed_memory_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[float] = []
    monkeypatch.setattr(application, "return_freed_memory", lambda: calls.append(time.monotonic()))
    models = CurrentModel(FakeSource(two_models(tmp_path)))
    service = Service(models, ServiceSettings(reload_seconds=0.01), Metrics())
    with TestClient(create_application(service)):
        end = time.monotonic() + 10
        while len(calls) < 2 and time.monotonic() < end:
            time.sleep(0.01)
    models.close()
    assert len(calls) >= 2
