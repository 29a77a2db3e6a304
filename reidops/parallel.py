"""Map a function over items in one or several processes or on a Dask cluster, and over batches in threads."""

import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from joblib import Parallel, delayed

from reidops.cores import usable_cores
from reidops.errors import ReidopsError, Unreachable
from reidops.parent_processes import end_with_dvc
from reidops.progress_bar import progress_bar

# After Ctrl-C the resource tracker of joblib, which is another process, warns of semaphores that it then cleans up.
_PATIENCE_SECONDS = 10
_QUIET = "ignore::UserWarning:joblib.externals.loky.backend.resource_tracker"

SCHEDULER = "REIDOPS_SCHEDULER"
"""Environment variable with the address of a Dask scheduler, tcp://HOST:PORT. It is no param, because the result does
not depend on where the items are processed."""

_ITEMS_PER_MESSAGE = 8  # Dask warns of messages of more than 10 MB; an item of `pack_crops` has up to 1 MB

_connections: dict[str, Any] = {}  # clients of open `one_connection` blocks, by address

MAX_BATCHES = 8  # batches that `map_on_cores` processes at the same time

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None, *, desc: str | None = None
) -> list[Result]:
    """Return `function` of every item, in the order of the items.

    Args:
        workers: number of processes; None = one per usable core; 1 = this process, with an ordinary traceback. If
            REIDOPS_SCHEDULER names a Dask cluster, several items are processed there unless this is 1.
        desc: label of the progress bar; None = no bar.

    Raises:
        Unreachable: the Dask cluster does not answer.
        ReidopsError: the package distributed is not installed.
    """
    if _QUIET not in os.environ.get("PYTHONWARNINGS", ""):
        os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), _QUIET]))
    items = list(items)
    workers = min(workers or usable_cores(), max(1, len(items)))
    scheduler = cluster_address() if workers > 1 else None
    found = _on_cluster(function, items, scheduler) if scheduler else _in_processes(function, items, workers)
    results = {}
    with progress_bar(total=len(items), desc=desc or "", unit="items", shown=desc is not None) as bar:
        for place, result in found:
            results[place] = result
            bar.update()
    return [results[place] for place in range(len(items))]


def cluster_address() -> str | None:
    """Return the address of the Dask scheduler that REIDOPS_SCHEDULER names; None if there is no cluster."""
    return os.environ.get(SCHEDULER) or None


def num_at_once(workers: int) -> int:
    """Return how many items `map_parallel` processes at the same time if there are enough of them.

    Raises:
        Unreachable: the Dask cluster does not answer.
    """
    scheduler = cluster_address() if workers > 1 else None
    if not scheduler:
        return workers
    with _cluster(scheduler) as client:
        return sum(client.nthreads().values())


@contextmanager
def one_connection(workers: int | None = None) -> Iterator[None]:
    """Keep the connection to the Dask cluster, if there is one, for all calls of `map_parallel` within the block.

    To connect and to disconnect takes 15 ms. With `workers` = 1 no cluster is used.

    Raises:
        Unreachable: the Dask cluster does not answer.
    """
    scheduler = cluster_address() if workers != 1 else None
    if not scheduler:
        yield
        return
    with _cluster(scheduler) as client:
        _connections[scheduler] = client
        try:
            yield
        finally:
            del _connections[scheduler]


def _in_processes(function: Callable[[Item], Result], items: list[Item], workers: int) -> Iterator[tuple[int, Result]]:
    """Yield the place and the result of each item, in order.

    Items are sent one at a time. By default joblib joins short items to batches of up to a second, and the last batch
    keeps one process busy while the others have nothing to do.
    """
    with Parallel(n_jobs=workers, return_as="generator", batch_size=1, initializer=end_with_dvc) as pool:
        with _ignored_interrupts():
            coming = pool(delayed(function)(item) for item in items)
        yield from enumerate(coming)


def _on_cluster(function: Callable[[Item], Result], items: list[Item], address: str) -> Iterator[tuple[int, Result]]:
    """Yield the place and the result of each item when it is there, from the workers of a Dask cluster.

    All items are sent in a few messages; joblib's backend for Dask sends one message per item, which takes the
    scheduler several times as long.
    """
    with _cluster(address) as client:
        from distributed import as_completed  # an extra, whose lack `_cluster` reports

        call = partial(_call_in, os.getcwd(), function)
        futures = client.map(call, [pickle.dumps(item) for item in items], pure=False, batch_size=_ITEMS_PER_MESSAGE)
        places = {future: place for place, future in enumerate(futures)}
        for future, result in as_completed(futures, loop=client.loop, with_results=True):
            yield places[future], result


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Yield a client of a Dask cluster that has workers: that of `one_connection`, or a new one.

    Raises:
        Unreachable: the scheduler does not answer, or it has no worker.
        ReidopsError: the package distributed is not installed.
    """
    if address in _connections:
        yield _connections[address]
        return
    try:
        from distributed import Client
    except ImportError:
        raise ReidopsError(
            f"{SCHEDULER} is {address}, but distributed is not installed: pip install distributed"
        ) from None
    try:
        client = Client(address, timeout=_PATIENCE_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"{SCHEDULER}: no Dask scheduler answers at {address} ({error}); start it or unset it"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
        except TimeoutError:
            raise Unreachable(
                f"{SCHEDULER}: the Dask scheduler at {address} has no worker; start one or unset it"
            ) from None
        yield client


def _call_in(folder: str, function: Callable[[Item], Result], item: bytes) -> Result:
    """Return `function(item)` with this working directory: paths of the pipeline are relative to the repository.

    The item is pickled, because the scheduler would otherwise unpickle it and pickle it again.
    """
    if os.getcwd() != folder:
        os.chdir(folder)
    return function(pickle.loads(item))


def map_on_cores(function: Callable[[Item], Result], batches: Iterable[Item]) -> Iterator[Result]:
    """Yield `function` of each batch, in order; each batch has its own thread with a share of torch's threads.

    Threads that share a batch wait for each other at every layer of a network, and for the thread whose core decodes
    pictures. Threads with their own batches do not wait. The number of batches is the number of torch's threads
    (`OMP_NUM_THREADS`), at least 2, so that one batch is read while another is embedded, and at most MAX_BATCHES,
    because each batch needs memory. One more finished batch may wait to be yielded.
    """
    import torch  # imported here, because readers of embeddings do not need torch

    num_threads = torch.get_num_threads()
    num_batches = min(max(2, num_threads), MAX_BATCHES)
    of_each = max(1, num_threads // num_batches)
    try:
        with ThreadPoolExecutor(num_batches, initializer=torch.set_num_threads, initargs=(of_each,)) as pool:
            yield from _in_turn(pool, function, batches, num_batches)
    finally:
        torch.set_num_threads(num_threads)  # a thread's setting also applies to threads that start later


def _in_turn(pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Yield the results in the order of the items; up to `ahead` further items are submitted in advance."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


@contextmanager
def _ignored_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C while processes start; they inherit this, so that only this process handles it and ends them."""
    if threading.current_thread() is not threading.main_thread():  # other threads cannot set signal handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
