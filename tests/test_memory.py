"""reidops/memory.py: freed memory is reused, and garbage is left alone inside a block."""

import gc
import subprocess
import sys

import pytest

from reidops.memory import without_collection

pytestmark = pytest.mark.slow

SCRIPT = """
import ctypes, resource, threading
from reidops.memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.memset.argtypes, libc.free.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], [ctypes.c_void_p]
{call}

def fetched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    place = libc.malloc(64 << 20)
    libc.memset(place, 1, 64 << 20)
    libc.free(place)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages = []
work = threading.Thread(target=lambda: pages.extend(fetched() for _ in range(4)))
(work.start(), work.join()) if {threaded} else work.run()
print(pages[-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc's malloc can be asked to keep what is freed")
@pytest.mark.parametrize("threaded", [False, True])
def test_a_large_array_reuses_the_memory_of_freed_ones(root, threaded):
    def pages(call: str) -> int:
        command = [sys.executable, "-c", SCRIPT.format(call=call, threaded=threaded)]
        return int(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)

    assert pages("keep_freed_memory()") < 10 < pages("")  # 32 where pages are huge, else 16,384


@pytest.mark.parametrize("is_enabled", [True, False])
def test_garbage_is_collected_as_before_after_an_error_inside(is_enabled):
    was_enabled = gc.isenabled()
    try:
        (gc.enable if is_enabled else gc.disable)()
        with pytest.raises(ImportError), without_collection():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == is_enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
