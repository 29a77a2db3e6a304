"""Configure how the C library handles freed memory, and when the interpreter searches for garbage.

Without glibc the functions for freed memory do nothing.
"""

import atexit
import ctypes
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h
_LARGEST_INT = 2**31 - 1
_TUNABLES = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
_COUNTING = frozenset({"onnx", "triton"})
"""Packages that list all of their objects that are left at the end, on the standard error stream (nanobind)."""


def keep_freed_memory() -> None:
    """Keep freed memory in this process for later arrays.

    By default glibc requests every array of more than 32 MB from the system and returns it when it is freed. The system
    zeroes these pages each time, so that the layers of a network on a CPU wait for memory up to half of the time. The
    cost is memory: freed blocks do not fit every later array, so the process grows for some batches before its size is
    stable (`benchmarks/memory.py` measures both).
    """
    use_one_heap()  # heaps of other threads cannot hold large arrays
    _set(_M_MMAP_MAX, 0)
    _set(_M_TRIM_THRESHOLD, _LARGEST_INT)


def use_one_heap() -> None:
    """Let the threads that start from now on share one heap.

    By default glibc has a heap for each thread and keeps the blocks that were freed in it. A service that replaces its
    model again and again, in one thread after another, would then grow to twice its size
    (`benchmarks/service_load.py`).
    """
    _set(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Return freed memory to the system, such as that of replaced models and large requests."""
    trim = _find("malloc_trim")
    if trim is not None:
        trim(0)


def restart_without_gaps() -> None:
    """Start the command of this process again, once, with a C library that keeps no small blocks for themselves.

    Between large arrays small blocks leave gaps that no array of the same size fits into, and the process grows.
    glibc reads these settings only when a process starts. Settings of the user are left as they are.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = _TUNABLES
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


@contextmanager
def without_collection() -> Iterator[None]:
    """Search for no garbage inside, where a library is imported or a large graph is built.

    Both create millions of objects that stay. The interpreter would search all of them again and again, which takes a
    fifth of the time of such an import.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def free_nothing_at_exit() -> None:
    """Leave the memory of this process to the system when it ends.

    The interpreter would visit each of some million objects of torch and others, for one to two seconds. Call it
    before other packages register what they do at the end: the last function is the one that was registered first.
    """
    atexit.register(_leave_memory)


def _leave_memory() -> None:
    gc.freeze()
    if _COUNTING.intersection(sys.modules):
        with suppress(OSError, ValueError):  # its reader has ended
            sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _set(option: int, value: int) -> None:
    mallopt = _find("mallopt")
    if mallopt is not None:
        mallopt(option, value)


def _find(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, None where it has no such function."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
