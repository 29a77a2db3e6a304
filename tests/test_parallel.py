"""reidops/parallel.py: results do not depend on the number of workers or cores."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from reidops.cores import usable_cores
from reidops.errors import ReidopsError
from reidops.parallel import MAX_BATCHES, map_on_cores, map_parallel


def own_id(_: int) -> int:
    return os.getpid()


def square(x: int) -> int:
    if x < 0:
        raise ReidopsError(f"{x} is negative")
    return x * x


@pytest.mark.slow
@pytest.mark.parametrize("workers", [None, 1, 2])
def test_results_come_in_the_items_order(workers, monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    assert map_parallel(square, range(7), workers) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize(("cores", "alone"), [("1", True), pytest.param("2", False, marks=pytest.mark.slow)])
def test_other_processes_are_started_only_where_there_are_cores_for_them(monkeypatch, cores, alone):
    if not alone and os.cpu_count() < 2:
        pytest.skip("needs two cores")
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", cores)
    assert ({os.getpid()} == {*map_parallel(own_id, range(3))}) is alone


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_error_of_a_worker_reaches_the_caller(workers):
    with pytest.raises(ReidopsError, match="-1 is negative"):
        map_parallel(square, [1, -1], workers)


def test_no_items_have_no_results():
    assert map_parallel(square, []) == []
    assert usable_cores() >= 1


@pytest.fixture
def torch_threads():
    """Set how many threads torch has, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def two_threads(torch_threads):
    torch_threads(2)


def threads_of_a_new_thread() -> int:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen[0]


def test_batches_come_in_order_with_one_thread_of_torch_on_each_core(two_threads):
    both = threading.Barrier(2, timeout=30)  # passes only when two cores are at work

    def work(batch: int) -> tuple[int, int]:
        both.wait()
        time.sleep(0.01 * (batch % 2))
        return batch, torch.get_num_threads()

    assert list(map_on_cores(work, range(6))) == [(batch, 1) for batch in range(6)]
    assert torch.get_num_threads() == threads_of_a_new_thread() == 2


def test_on_many_cores_few_batches_share_them(torch_threads):
    torch_threads(2 * MAX_BATCHES + 1)
    at_work, most = [], []

    def work(batch: int) -> int:
        at_work.append(batch)
        most.append(len(at_work))
        time.sleep(0.002)
        at_work.remove(batch)
        return torch.get_num_threads()

    assert set(map_on_cores(work, range(40))) == {2}
    assert max(most) <= MAX_BATCHES


def test_few_batches_are_started_in_advance(two_threads):
    begun = []
    for place, batch in enumerate(map_on_cores(lambda batch: begun.append(batch) or batch, range(20))):
        assert batch == place
        time.sleep(0.002)
        assert len(begun) <= place + 1 + 3


def test_one_thread_of_torch_still_reads_a_batch_while_the_other_is_embedded(torch_threads):
    torch_threads(1)
    both = threading.Barrier(2, timeout=30)
    assert len(list(map_on_cores(lambda _: both.wait(), range(4)))) == 4


def test_a_thread_that_starts_late_does_not_change_torchs_threads(torch_threads, monkeypatch):
    torch_threads(4)
    set_threads, begun = torch.set_num_threads, []

    def late(number: int) -> None:
        if threading.current_thread() is not threading.main_thread():
            begun.append(number)
            time.sleep(0.1 * (len(begun) > 1))
        set_threads(number)

    monkeypatch.setattr(torch, "set_num_threads", late)
    batches = map_on_cores(square, range(9))
    assert next(batches) == 0
    batches.close()
    assert len(begun) > 1 and threads_of_a_new_thread() == 4


def test_the_error_of_a_batch_is_raised_and_torchs_threads_are_restored(two_threads):
    with pytest.raises(ReidopsError, match="-1 is negative"):
        list(map_on_cores(square, [1, -1, 2, 3]))
    assert torch.get_num_threads() == threads_of_a_new_thread() == 2


def test_a_caller_that_stops_early_restores_torchs_threads(two_threads):
    batches = map_on_cores(square, range(9))
    assert next(batches) == 0
    batches.close()
    assert torch.get_num_threads() == threads_of_a_new_thread() == 2


def wait(seconds: float) -> None:
    time.sleep(seconds)


@pytest.mark.slow
def test_only_the_caller_handles_an_interrupt_and_workers_print_nothing(root):
    script = (
        "from test_parallel import wait; from reidops.parallel import map_parallel; print('go', flush=True); "
        "map_parallel(wait, [600] * 4, 2)"
    )
    env = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"}
    command = [sys.executable, "-c", f"try:\n    {script}\nexcept KeyboardInterrupt:\n    print('interrupted')"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert process.stdout.readline() == "go\n"
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    output, complaints = process.communicate(timeout=120)
    assert output == "interrupted\n" and "Traceback" not in complaints
