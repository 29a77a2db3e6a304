"""What can end a training from outside, told in our words: a request to stop, and memory that is too small."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from reidops.errors import ReidopsError

_CPU_OUT_OF_MEMORY = ("not enough memory", "can't allocate memory", "Cannot allocate memory")


@contextmanager
def stop_request() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM sets, so that a step is never cut in two; signals reach only the main thread."""
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
def out_of_memory_told(batch: str) -> Iterator[None]:
    """Turn an allocation that failed, on a GPU or in main memory, into an error that names the batch and what to lower.

    Raises:
        ReidopsError: the memory does not hold the batch.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ReidopsError(
            f"out of memory with {batch}: {told}. Lower train.people_per_batch (train.accumulate adds up the gradients "
            f"of several"
            " batches), train.height and train.width, or set train.precision to bf16-mixed on a GPU or CPU that "
            "computes in it; the last checkpoint is kept"
        ) from None


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error) for words in _CPU_OUT_OF_MEMORY
    )
