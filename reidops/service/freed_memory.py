"""Return freed memory to the system."""

import ctypes
import sys


def return_freed_memory() -> None:
    """Return the memory that replaced models and large requests left; without glibc this does nothing.

    glibc keeps freed blocks for each thread that allocated them. Without this, a service that replaces its model again
    and again grows to twice its size before its size is stable.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
