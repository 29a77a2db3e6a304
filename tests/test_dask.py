"""Items on a Dask cluster: the same results in order, relative paths, and one clear message without a cluster."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reidops.errors import ReidopsError, Unreachable
from reidops.parallel import SCHEDULER, map_parallel


def square(number: int) -> tuple[int, int, str]:
    """Return the square, the process and what a relative path holds."""
    return number**2, os.getpid(), Path("here.txt").read_text()


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setenv(SCHEDULER, "tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ReidopsError, match="tcp://127.0.0.1:1.*pip install distributed"):
        map_parallel(abs, [1, 2], 2)
    assert map_parallel(abs, [-1, -2], 1) == [1, 2]  # this process


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as found:
            yield found.scheduler_address


@pytest.mark.slow
def test_two_workers_give_the_results_of_this_process_in_order(cluster, monkeypatch, tmp_path):
    (tmp_path / "here.txt").write_text("found")
    monkeypatch.chdir(tmp_path)
    alone = map_parallel(square, range(40), 1)
    monkeypatch.setenv(SCHEDULER, cluster)
    spread = map_parallel(square, range(40), 2)
    assert [row[0::2] for row in spread] == [row[0::2] for row in alone]
    processes = {row[1] for row in spread}
    assert os.getpid() not in processes and len(processes) == 2


@pytest.mark.slow
def test_an_error_of_an_item_is_raised_here(cluster, monkeypatch):
    monkeypatch.setenv(SCHEDULER, cluster)
    with pytest.raises(ZeroDivisionError):
        map_parallel((1).__truediv__, [1, 0, 2], 2)


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_a_reason_to_try_again(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("reidops.parallel._PATIENCE_SECONDS", 1)
    monkeypatch.setenv(SCHEDULER, "tcp://127.0.0.1:1")
    with pytest.raises(Unreachable, match="tcp://127.0.0.1:1"):
        map_parallel(abs, [1, 2], 2)
