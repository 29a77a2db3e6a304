"""benchmarks/service_load.py: each kind of request gets its status from a running service, and growth is reported."""

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from made_result import write_result

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def service_load(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("service_load")


@pytest.mark.slow
def test_each_kind_of_request_gets_its_status_while_the_version_changes(service_load, monkeypatch, tmp_path):
    monkeypatch.setattr(service_load, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(service_load, "VERSION_SECONDS", 1.0)
    versions = service_load.Versions(write_result(tmp_path) / "export", tmp_path / "served")
    with service_load.running_service(versions.served) as (process, address):
        load = service_load.Load(service_load.make_messages(np.random.default_rng(0)), address)
        every = [message for messages in load.messages.values() for message in messages]
        answers = service_load.send_all(load, every, versions)
        size = service_load.measure_size(process, address)
    assert [answer for answer in answers if answer.fault] == []
    assert {answer.kind for answer in answers} == set(load.messages)
    assert size.reloads >= 1


def test_growth_beyond_a_bound_is_reported(service_load):
    before = service_load.Size(megabytes=400, files=10, threads=9, reloads=1)
    assert service_load.find_growth(before, replace(before, megabytes=430, files=12, reloads=50)) == []
    faults = service_load.find_growth(before, replace(before, megabytes=450, files=13, threads=30))
    assert [fault.split()[0] for fault in faults] == ["the", "files", "threads"] and "450 MB" in faults[0]


def test_an_answer_with_another_status_or_embedding_is_a_fault(service_load):
    class Answered:
        status = 200

    requests = importlib.import_module("service_requests")
    message = requests.Message("JPEG", (200,), headers={"accept": requests.JSON}, num_rows=1)
    load = service_load.Load({"JPEG": [message]}, ("127.0.0.1", 1))
    bodies = [b'{"embeddings": [[%s, 0.8]]}' % number for number in (b"0.6", b"0.600001", b"0.7")]
    faults = [service_load.find_fault(load, message, Answered(), body) for body in bodies]
    assert faults[:2] == ["", ""] and "differs" in faults[2]
    Answered.status = 500
    assert "status 500" in service_load.find_fault(load, message, Answered(), b"x")
