"""What this process does with memory that it has done with."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # of glibc's malloc.h
_LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Let freed memory stay with this process for later arrays, in whatever thread; a no-op where the C library is not
    glibc.

    Left to itself, glibc fetches every array of more than 32 MB from the system and gives it back at once, which zeroes
    it page by page each time: a network's layers on a CPU then wait for memory for up to half of their time. The price
    is memory: what is kept does not fit every later array, so that the process grows for some batches before it stays
    (`benchmarks/memory.py` tells both).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)  # a thread's own arena could hold no large array
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)
