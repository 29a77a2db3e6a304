"""Count the usable cores, and configure how OpenMP threads wait."""

import os

import joblib


def usable_cores() -> int:
    """Return the number of cores that this process may use, limited by its affinity and its container's CPU quota."""
    return joblib.cpu_count()


def share_cores() -> None:
    """Configure OpenMP for a machine that is shared with other work; call it before torch is imported.

    - `OMP_WAIT_POLICY=PASSIVE`: waiting threads sleep. By default the threads of libgomp spin, and on busy cores they
      block the thread that they wait for. Two trainings on two cores then reach the total throughput of a single one,
      instead of a third to two thirds of it. A single training is about a tenth slower (`benchmarks/neighbours.py`).
    - `OMP_NUM_THREADS`: the number of usable cores, if it is below the number of the host's cores.

    Variables that are already set are not changed.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if usable_cores() < (os.cpu_count() or 1):
        os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
