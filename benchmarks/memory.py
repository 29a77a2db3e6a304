"""Measure the effect of keeping freed memory on speed and memory: `python benchmarks/memory.py [--quick]`.

Measured are images/s of a network (forward, and training steps with Adam, in batches of 64 on all threads) and the peak
memory, in a process that keeps freed memory (`keep_freed_memory`, as every stage does) and in one with the default of
glibc. The processes alternate; the results are medians of three. --quick uses little data to test the script.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from measured import Measured, format_measured

NETWORKS = (("osnet_x0_25", 256, 128), ("resnet10t", 96, 48), ("resnet50", 256, 128))
BATCH, STEPS = 64, 3


def measure(backbone: str, height: int, width: int, batch: int, kept: bool) -> dict[str, float]:
    """Return images/s of the network in this process, forward and in training, and its peak memory, MB."""
    import torch

    from reidops.embedding.network import EmbeddingNetwork
    from reidops.memory import keep_freed_memory

    if kept:
        keep_freed_memory()
    torch.manual_seed(0)
    network = EmbeddingNetwork(backbone).to(memory_format=torch.channels_last)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), dtype=np.uint8))
    optimizer = torch.optim.Adam(network.parameters())

    def forward() -> None:
        with torch.inference_mode():
            network.eval()(images)

    def train() -> None:
        optimizer.zero_grad()
        network.train()(images).sum().backward()
        optimizer.step()

    rates = {work.__name__: _rate(work, batch) for work in (forward, train)}
    return rates | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def _rate(work: Callable[[], None], batch: int) -> float:
    """Return images/s without the first two passes, in which memory is allocated."""
    work(), work()
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return batch / float(np.median(seconds))


def main() -> None:
    """Print the table, or in the process of an arm its rates as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--arm", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.arm:
        backbone, *numbers = arguments.arm
        height, width, batch, kept = map(int, numbers)
        print(json.dumps(measure(backbone, height, width, batch, bool(kept))))
        return
    networks, batch, passes = (
        ((("mobilenetv4_conv_small_050", 32, 16),), 2, 1) if arguments.quick else (NETWORKS, BATCH, 3)
    )
    rows = []
    for network in networks:
        found: tuple[list, list] = [], []  # left to glibc, kept
        for _ in range(passes):
            for kept, of_arm in enumerate(found):
                command = [sys.executable, __file__, "--arm", *map(str, (*network, batch, kept))]
                ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                of_arm.append(json.loads(ran.stdout))
        left, kept = (pd.DataFrame(of_arm).median() for of_arm in found)
        for work in ("forward", "train"):
            result = f"{kept[work] / left[work]:.2f} ×: {kept[work]:,.0f} against {left[work]:,.0f} images/s"
            rows.append(Measured(f"{network[0]} {network[1]} × {network[2]}, {work}, batches of {batch}", "", result))
        result = f"{kept['peak_mb'] / left['peak_mb']:.2f} ×: {kept['peak_mb']:,.0f} against {left['peak_mb']:,.0f} MB"
        rows.append(Measured(f"{network[0]} {network[1]} × {network[2]}, peak memory", "", result))
    print(format_measured(rows))


if __name__ == "__main__":
    main()
