"""Measure two concurrent trainings on the same cores; docs/measured.md has the results.

python benchmarks/neighbours.py [--seconds 10] [--repeats 3] [--quick]

Measured are images/s of training steps (ResNet-10-T, batches of 64, float32) of a single process, and the sum
of two concurrent processes: with sleeping threads (as in every stage, see reidops/cores.py), with the spinning threads
of libgomp, and with one thread per process. The settings alternate; the results are medians, and ratios to a single
process with spinning threads. --quick uses little data to check that the script runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ALONE = "threads spin (libgomp's default)"  # the setting that the others are compared with
SETTINGS = {
    "threads sleep (reidops)": {"OMP_WAIT_POLICY": "PASSIVE"},
    ALONE: {},
    "one thread each": {"OMP_NUM_THREADS": "1"},
}
OWN_VARIABLES = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "GOMP_SPINCOUNT")


def train_steps(seconds: float, height: int, width: int) -> float:
    """Return images/s of training steps in this process, without the first two steps."""
    import torch

    from reidops.embedding.network import EmbeddingNetwork
    from reidops.memory import keep_freed_memory

    keep_freed_memory()
    network = EmbeddingNetwork("resnet10t", last_stride=1).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters())
    images = torch.zeros(64, height, width, 3, dtype=torch.uint8)

    def step() -> None:
        optimizer.zero_grad()
        network(images).sum().backward()
        optimizer.step()

    step(), step()
    num_steps, started = 0, time.perf_counter()
    while num_steps == 0 or time.perf_counter() - started < seconds:
        step()
        num_steps += 1
    return 64 * num_steps / (time.perf_counter() - started)


def measure(num_processes: int, variables: dict[str, str], options: list[str]) -> float:
    """Return the sum of images/s of concurrent processes."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES} | variables
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    command = [sys.executable, __file__, "--worker", *options]
    workers = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(num_processes)
    ]
    return sum(float(worker.communicate()[0]) for worker in workers)


def main() -> None:
    """Measure every setting, or run as one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.repeats = 0.0, 1
    if arguments.worker:
        print(train_steps(arguments.seconds, *((32, 16) if arguments.quick else (96, 48))))
        return
    options = ["--seconds", str(arguments.seconds), *(["--quick"] if arguments.quick else [])]
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(arguments.repeats):
        for name, variables in SETTINGS.items():
            for num_processes in (1, 2):
                rates.setdefault((name, num_processes), []).append(measure(num_processes, variables, options))
    medians = {setting: statistics.median(values) for setting, values in rates.items()}
    alone = medians[ALONE, 1]
    print(
        "| threads | one alone, images/s | two at once, images/s in all | ÷ one alone that spins |\n|---|---|---|---|"
    )
    for name in SETTINGS:
        one, two = medians[name, 1], medians[name, 2]
        print(f"| {name} | {one:.0f} | {two:.0f} | {one / alone:.2f}, {two / alone:.2f} |")


if __name__ == "__main__":
    main()
