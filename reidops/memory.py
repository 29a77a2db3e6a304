"""Configure how the C library handles freed memory."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep freed memory in this process for later arrays; without glibc this does nothing.

    By default glibc requests every array of more than 32 MB from the system and returns it when it is freed. The system
    zeroes these pages each time, so that the layers of a network on a CPU wait for memory up to half of the time. The
    cost is memory: freed blocks do not fit every later array, so the process grows for some batches before its size is
    stable (`benchmarks/memory.py` measures both).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)  # arenas of other threads cannot hold large arrays
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)
