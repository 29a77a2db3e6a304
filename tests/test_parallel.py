"""reidops/parallel.py: the same list for any number of workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reidops.errors import ReidopsError
from reidops.parallel import map_parallel, num_workers


def square(x: int) -> int:
    if x < 0:
        raise ReidopsError(f"{x} is negative")
    return x * x


@pytest.mark.parametrize("workers", [None, 1, 2])
def test_results_come_in_the_items_order(workers):
    assert map_parallel(square, range(7), workers) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_reaches_the_caller(workers):
    with pytest.raises(ReidopsError, match="-1 is negative"):
        map_parallel(square, [1, -1], workers)


def test_nothing_maps_to_nothing():
    assert map_parallel(square, []) == []
    assert num_workers() >= 1


def wait(seconds: float) -> None:
    time.sleep(seconds)


def test_only_the_caller_answers_an_interrupt_and_its_workers_say_nothing(root):
    script = "from test_parallel import wait; from reidops.parallel import map_parallel; print('go', flush=True); map_parallel(wait, [60] * 4, 2)"
    env = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"}
    command = [sys.executable, "-c", f"try:\n    {script}\nexcept KeyboardInterrupt:\n    print('interrupted')"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert process.stdout.readline() == "go\n"
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    told, complaints = process.communicate(timeout=30)
    assert told == "interrupted\n" and "Traceback" not in complaints
