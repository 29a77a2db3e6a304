"""Map a function over sequences, in this process or in several, and over batches, one for each core."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

# After Ctrl-C joblib's resource tracker tells of semaphores that it then cleans up itself; the tracker is a process of its own.
_QUIET = "ignore::UserWarning:joblib.externals.loky.backend.resource_tracker"

MOST_BATCHES = 8  # in work at once

Item = TypeVar("Item")
Result = TypeVar("Result")


def num_workers() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None, *, desc: str | None = None
) -> list[Result]:
    """Return `function` of every item, in the items' order, whatever the number of workers.

    Args:
        workers: processes; None = one per usable core; 1 = this process, with an ordinary traceback.
        desc: what the progress bar says; None = no bar.
    """
    if _QUIET not in os.environ.get("PYTHONWARNINGS", ""):
        os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), _QUIET]))
    items = list(items)
    workers = min(workers or num_workers(), max(1, len(items)))
    bar = tqdm(total=len(items), desc=desc, disable=None if desc else True, leave=False)
    with bar, Parallel(n_jobs=workers, return_as="generator") as pool:
        results = []
        with _ignored_interrupts():
            coming = pool(delayed(function)(item) for item in items)
        for result in coming:
            results.append(result)
            bar.update()
    return results


def map_on_cores(function: Callable[[Item], Result], batches: Iterable[Item]) -> Iterator[Result]:
    """Yield `function` of each batch, in their order; each core has a batch of its own, and torch one thread for it.

    Threads that share a batch wait for each other at every layer of a network, and all of them for the one whose core decodes a
    picture meanwhile; each with a batch of its own waits for nobody. torch's threads (`OMP_NUM_THREADS`) are the cores; more than
    MOST_BATCHES of them share the batches evenly, for each batch needs its memory. Not yet yielded is one batch more at most.
    """
    import torch  # who reads what was embedded needs none

    num_cores = torch.get_num_threads()
    num_batches = min(num_cores, MOST_BATCHES)
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(num_batches, initializer=torch.set_num_threads, initargs=(num_cores // num_batches,)) as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(function, batch))
                if len(waiting) > num_batches:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            torch.set_num_threads(num_cores)  # what one thread sets holds for those that start later


@contextmanager
def _ignored_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C while processes start: they inherit that, so that this process alone answers it and ends them."""
    if threading.current_thread() is not threading.main_thread():  # Python sets signals in no other
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
