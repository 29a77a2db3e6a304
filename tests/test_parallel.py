"""reidops/parallel.py: the same list for any number of workers."""

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
