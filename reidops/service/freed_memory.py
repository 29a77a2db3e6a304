"""Return freed memory to the system.

By default glibc has a heap for each thread and keeps the blocks that were freed in it. A service that replaces its
model again and again, in one thread after another, would then grow to twice its size (`benchmarks/service_load.py`).
"""

import ctypes
import sys
from collections.abc import Callable

_M_ARENA_MAX = -8  # of glibc's malloc.h


def use_one_heap() -> None:
    """Let the threads that start from now on share one heap; without glibc this does nothing."""
    mallopt = _find("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Return the memory that replaced models and large requests left; without glibc this does nothing."""
    trim = _find("malloc_trim")
    if trim is not None:
        trim(0)


def _find(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, None where it has no such function."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
