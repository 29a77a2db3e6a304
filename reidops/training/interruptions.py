"""Handle stop requests (SIGTERM) and out-of-memory errors of a training."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from reidops.errors import ReidopsError

_CPU_OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "Cannot allocate memory")


@contextmanager
def stop_request() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM sets, so that the current step is completed.

    Only the main thread handles signals; in other threads the event is never set.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def out_of_memory_errors(batch: str, remedy: str) -> Iterator[None]:
    """Convert failed allocations on a GPU or in main memory into an error with the batch and what to change.

    Raises:
        ReidopsError: the batch does not fit into memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ReidopsError(f"out of memory with {batch}: {reason}. {remedy}; the last checkpoint is kept") from None


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error) for words in _CPU_OUT_OF_MEMORY
    )
