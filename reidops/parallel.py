"""Map a function over sequences, in this process or in several, and over batches, one on each core."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from joblib import Parallel, delayed

from reidops.cores import usable_cores
from reidops.progress_bar import progress_bar

# After Ctrl-C joblib's resource tracker tells of semaphores that it then cleans up itself; the tracker is a process of
# its own.
_QUIET = "ignore::UserWarning:joblib.externals.loky.backend.resource_tracker"

MOST_BATCHES = 8  # of `map_on_cores`, in work at once

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    workers = min(workers or usable_cores(), max(1, len(items)))
    bar = progress_bar(total=len(items), desc=desc or "", unit="items", shown=desc is not None)
    with bar, Parallel(n_jobs=workers, return_as="generator") as pool:
        results = []
        with _ignored_interrupts():
            coming = pool(delayed(function)(item) for item in items)
        for result in coming:
            results.append(result)
            bar.update()
    return results


def map_on_cores(function: Callable[[Item], Result], batches: Iterable[Item]) -> Iterator[Result]:
    """Yield `function` of each batch, in their order; each batch has a thread of its own, and there torch its share of
    the cores.

    Threads that share a batch wait for each other at every layer of a network, and all of them for the one whose core
    decodes a picture meanwhile; each with a batch of its own waits for nobody. There are as many batches as torch has
    threads (`OMP_NUM_THREADS`), but two at least, so that one is read while the other is embedded, and MOST_BATCHES at
    most, which then share torch's threads evenly: each needs its memory. One batch more may wait to be yielded.
    """
    import torch  # who reads what was embedded needs none

    num_threads = torch.get_num_threads()
    num_batches = min(max(2, num_threads), MOST_BATCHES)
    of_each = max(1, num_threads // num_batches)
    try:
        with ThreadPoolExecutor(num_batches, initializer=torch.set_num_threads, initargs=(of_each,)) as pool:
            yield from _in_turn(pool, function, batches, num_batches)
    finally:
        torch.set_num_threads(num_threads)  # what one thread sets holds for those that start later


def _in_turn(pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Yield the results in the items' order; `ahead` items are begun or wait beside the one that is yielded."""
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
    """Ignore Ctrl-C while processes start: they inherit that, so that this process alone answers it and ends them."""
    if threading.current_thread() is not threading.main_thread():  # Python sets signals in no other
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
