"""How many cores this process may use, and how its threads wait for each other."""

import os

import joblib


def usable_cores() -> int:
    """Return the number of cores that this process may use: its affinity and its container's CPU quota count, not the
    host's cores.
    """
    return joblib.cpu_count()


def share_cores() -> None:
    """Set up OpenMP for a machine that other work shares; call it before torch is imported.

    - `OMP_WAIT_POLICY=PASSIVE`: threads that wait for each other sleep. By default libgomp's threads spin, and with
      other work on the same cores they then keep the thread from running that they wait for. Two trainings side by side
      on two cores reach together what one reaches alone, instead of a third to two thirds; one alone is about a tenth
      slower (`benchmarks/neighbours.py`).
    - `OMP_NUM_THREADS`: the usable cores, where a container may use fewer than its host has.

    Variables that are set stay as they are.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if usable_cores() < (os.cpu_count() or 1):
        os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
