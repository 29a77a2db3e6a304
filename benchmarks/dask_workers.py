"""How much faster two Dask workers are than one process, for `convert` and `embed`.

    python benchmarks/dask_workers.py --streets FOLDER [--repeats 3]

Draws six streets (minutes) below FOLDER unless they are there. Starts a scheduler and two workers of one thread, each
on its own core, as two machines of one core. The arms take turns: one process on one core, one process on two cores
(for `convert` two processes), and the Dask workers. Seconds are wall time and CPU time (user + system of all these
processes), the best of the repeats. Prints a Markdown table; needs the extra `dask` and Linux.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # stages are not installed; they belong to the repository

import torch
from random_embedder import random_embedder

from reidops.datasets.inventory import write_inventory
from reidops.memory import keep_freed_memory
from reidops.mot.synthetic.params import SyntheticParams
from reidops.mot.synthetic.writing import write_synthetic
from reidops.parallel import SCHEDULER
from reidops.params import read_params
from reidops.parts import Part, write_parts
from stages.convert import ConvertParams, convert
from stages.detect import DetectParams, detect
from stages.embed import EmbedParams, embed

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ROOT / "recipes" / "default.yaml"
CORES = (0, 1)
STAGES = ("convert", "embed")
GOAL = 1.7  # times as fast as one process on one core
UNKNOWN_ORIGIN = {"started_from": "random weights", "scenes": [], "unknown_start": "", "epoch": 0}


@dataclass(frozen=True)
class Arm:
    """Where a stage runs: its processes, the cores of this process, and whether the items go to the Dask workers."""

    name: str
    processes: int
    cores: tuple[int, ...]
    on_dask: bool = False


ARMS = (
    Arm("one process on one core", 1, CORES[:1]),
    Arm("two cores without Dask", 2, CORES),
    Arm("two Dask workers", 2, CORES, on_dask=True),
)
Stage = Callable[[Path, int], None]  # takes the folder of the output and the number of processes


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streets", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    parser.add_argument("--converted", default="*-FRCNN", help="sequences; '*' = each street three times")
    parser.add_argument("--embedded", type=int, default=150, help="first frames of each street that are embedded")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as every stage's script does
    if not (options.streets / "train").is_dir():
        write_synthetic(options.streets, SyntheticParams(seed=7))
    with tempfile.TemporaryDirectory() as folder, dask_workers() as address:
        stages = prepare(options.streets.resolve(), Path(folder), options.converted, options.embedded)
        print(f"| stage | arm | wall s | CPU s | times as fast (goal {GOAL}) |\n|---|---|---|---|---|")
        for name in options.stages:
            print_rows(name, compare(stages[name], Path(folder), address, options.repeats))


def prepare(streets: Path, root: Path, converted: str, num_embedded: int) -> dict[str, Stage]:
    """Write the inputs of the stages, and return the stages."""
    for part, names, most in (("train", converted, None), ("track", "*-FRCNN", num_embedded)):
        parts = [as_part(part, folder, most) for folder in sorted((streets / "train").glob(names))]
        write_parts(parts, root / part)
        write_inventory(parts, root / part, {"SYN": f"local:{streets}"})
    detect(root / "track", root / "detections", read_params(DetectParams, "detect", DEFAULT))
    random_embedder("fasternet_t0", 96, 48).save(root / "model", trained_on=UNKNOWN_ORIGIN)
    cut, embedding = (read_params(kind, kind.__name__[:-6].lower(), DEFAULT) for kind in (ConvertParams, EmbedParams))
    return {
        "convert": lambda output, workers: convert(root / "train", output, replace(cut, workers=workers)),
        "embed": lambda output, workers: embed(root / "track", root / "detections", root / "model", output, embedding),
    }


def as_part(part: str, folder: Path, most: int | None) -> Part:
    """Return the first `most` frames of a sequence, None = all, as one part."""
    num_frames = len(list((folder / "img1").iterdir())[:most])
    return Part(part, "SYN", "mot", folder, folder.name, folder.name.split("-")[1], 1, num_frames)


def compare(stage: Stage, root: Path, address: str, repeats: int) -> dict[Arm, tuple[float, float]]:
    """Return the least wall and CPU seconds of each arm; they take turns after a first round that warms up."""
    runs: dict[Arm, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    for repeat in range(repeats + 1):
        for arm in ARMS:
            os.sched_setaffinity(0, arm.cores)
            os.environ[SCHEDULER] = address if arm.on_dask else ""
            seconds = measure(partial(stage, root / f"{arm.name} {repeat}", arm.processes))
            if repeat:
                runs[arm].append(seconds)
    return {arm: (min(wall for wall, _ in found), min(cpu for _, cpu in found)) for arm, found in runs.items()}


def measure(work: Callable[[], None]) -> tuple[float, float]:
    """Return the wall and CPU seconds of work."""
    before, start = cpu_seconds(), time.perf_counter()
    work()
    return time.perf_counter() - start, cpu_seconds() - before


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its child processes since their start."""
    times = [process.cpu_times() for process in [*psutil.Process().children(recursive=True), psutil.Process()]]
    return sum(found.user + found.system for found in times)


def print_rows(name: str, seconds: dict[Arm, tuple[float, float]]) -> None:
    """Print a row per arm."""
    alone = seconds[ARMS[0]][0]
    for arm, (wall, cpu) in seconds.items():
        print(f"| `{name}` | {arm.name} | {wall:.2f} | {cpu:.2f} | {alone / wall:.2f} |", flush=True)


@contextmanager
def dask_workers() -> Iterator[str]:
    """Yield the address of a scheduler with its workers, which end with the block."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{found.getsockname()[1]}"
    options = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = start("dask_scheduler", "--port", address.rpartition(":")[2], *options)
    worker = ["dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [start(*worker, core=core) for core in CORES]
    try:
        wait_for_workers(address)
        yield address
    finally:
        for process in [*workers, scheduler]:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def start(module: str, *options: str, core: int | None = None) -> subprocess.Popen[bytes]:
    """Start a process of Dask, on one core if it is named."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", f"distributed.cli.{module}", *options]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    return process


def wait_for_workers(address: str) -> None:
    """Return when all workers are connected."""
    from distributed import Client  # an extra

    with Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(len(CORES), timeout=120)


if __name__ == "__main__":
    main()
