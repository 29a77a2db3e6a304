"""reidops/memory.py: what is freed is not fetched again."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from reidops.memory import keep_freed_memory
{call}
fetched = []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 << 20, np.uint8)
    fetched.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(fetched[-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc's malloc can be asked to keep what is freed")
def test_a_large_array_that_follows_another_gets_its_memory(root):
    pages = {
        call: int(subprocess.run([sys.executable, "-c", SCRIPT.format(call=call)], cwd=root, capture_output=True, text=True, check=True).stdout)
        for call in ("", "keep_freed_memory()")
    }
    assert pages["keep_freed_memory()"] < 100 < pages[""]
