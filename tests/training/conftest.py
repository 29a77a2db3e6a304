"""The tests of this folder compute on one thread: their networks are so small that more threads only wait for each
other.
"""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    torch.set_num_threads(1)
