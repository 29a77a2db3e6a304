"""Measure training steps in float32, in bf16, and in bf16 with the slow convolutions in float32, as trainings do it.

    python benchmarks/precision.py [--networks fasternet_t0 mobilenetv2_100 …] [--size 96 48] [--batch 64] [--threads 2]
        [--seconds 4]

A step is forward, backward and AdamW of a batch, by default on all cores. The three ways take turns in one process; of
each the best of three rounds counts. Prints a Markdown table of images/s and of the ratios to float32. In the stages
waiting threads sleep, as here with OMP_WAIT_POLICY=PASSIVE.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from reidops.embedding.network import EmbeddingNetwork
from reidops.memory import keep_freed_memory
from reidops.training.precision import cpu_computes_in_bf16
from reidops.training.slow_convolutions import SlowConvolutionsInFloat32

NETWORKS = [
    "fasternet_t0",
    "resnet10t",
    "osnet_x0_25",
    "mobilenetv4_conv_small",
    "mobilenetv2_100",
    "tf_efficientnet_lite0",
]
WAYS: dict[str, tuple[bool, Callable[[], AbstractContextManager[object]]]] = {
    "float32": (False, nullcontext),
    "bf16": (True, nullcontext),
    "bf16, slow convolutions in float32": (True, SlowConvolutionsInFloat32),
}
ROUNDS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--size", type=int, nargs=2, default=(96, 48), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, help="of torch; one per core if not given")
    parser.add_argument("--seconds", type=float, default=4, help="of each way and round")
    options = parser.parse_args()
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"bf16 instructions: {cpu_computes_in_bf16()}; {torch.get_num_threads()} threads\n")
    print(f"| network | {' | '.join(WAYS)} |\n|---|{'---|' * len(WAYS)}")
    for name in options.networks:
        rates = measure(name, options.size, options.batch, options.seconds)
        cells = [f"{rate:.0f} ({rate / rates['float32']:.2f})" for rate in rates.values()]
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)


def measure(name: str, size: tuple[int, int], batch: int, seconds: float) -> dict[str, float]:
    """Return images/s of each way."""
    torch.manual_seed(0)
    network = EmbeddingNetwork(name, height=size[0], width=size[1]).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    inputs = torch.rand(batch, 3, *size).to(memory_format=torch.channels_last)
    rates = dict.fromkeys(WAYS, 0.0)
    for _ in range(ROUNDS):
        for way, (in_bf16, context) in WAYS.items():

            def step(in_bf16: bool = in_bf16, context: Callable = context) -> None:
                with context(), torch.autocast("cpu", torch.bfloat16, enabled=in_bf16):
                    features = network.features(inputs)
                features.float().square().mean().backward()
                optimizer.step()
                optimizer.zero_grad()

            rates[way] = max(rates[way], batch * rate_of(step, seconds))
    return rates


def rate_of(step: Callable[[], None], seconds: float) -> float:
    """Return steps/s after one step that prepares the kernels."""
    step()
    started, num_steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds or not num_steps:
        step()
        num_steps += 1
    return num_steps / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
