"""Measure the latency of exported embedders on one core, in turns, so that other work affects all of them alike."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median

import numpy as np

from reidops.embedding.description import read_description
from reidops.embedding.exported import ExportedNetwork, measure_batch_ms, open_format
from reidops.embedding.formats import FORMATS, ONNX, shipped_formats
from reidops.errors import ReidopsError
from reidops.registry.store import open_store
from reidops.serving.onnx_embedder import OnnxEmbedder
from reidops.stage_times import read_times

logger = logging.getLogger(__name__)

BATCH = 8
FILE = "latency.json"
BATCH_SIZES = (1, 8, 32)
_ROUNDS = 15
_BUDGET_SECONDS = 1.0
_FORMAT_SECONDS = 0.2  # of measuring per format and batch size
_CROP = (128, 48, 3)  # height, width and channels of a person in a street video


def measure_latencies(folders: Mapping[str, Path]) -> dict[str, float]:
    """Return the median latency of each model, ms per crop, resizing included, in batches of BATCH on one core.

    Args:
        folders: name → folder of model.onnx and embedder.json.

    Raises:
        ReidopsError: a model cannot be loaded.
    """
    embedders = {name: OnnxEmbedder.load(folder, threads=1) for name, folder in folders.items()}
    crops = list(np.random.default_rng(0).integers(0, 256, (BATCH, *_CROP), np.uint8))
    times: dict[str, list[float]] = {name: [] for name in embedders}
    for embedder in embedders.values():
        embedder.embed(crops)  # the first call allocates memory
    end = time.perf_counter() + _BUDGET_SECONDS
    for number in range(_ROUNDS):
        if number and time.perf_counter() > end:
            break
        for name, embedder in embedders.items():
            begin = time.perf_counter()
            embedder.embed(crops)
            times[name].append(time.perf_counter() - begin)
    return {name: 1000 * median(row) / BATCH for name, row in times.items()}


LatencyTable = Mapping[str, Mapping[int, float]]
"""Format → batch size → ms per crop."""


def measure_formats(
    folder: Path,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    *,
    names: Sequence[str] | None = None,
    seconds: float = _FORMAT_SECONDS,
) -> dict[str, dict[int, float]]:
    """Return the least time of the network, ms per crop on one core, by format and batch size; without resizing.

    Args:
        folder: of the stage `export`.
        names: formats; None = all that are shipped and that this machine can open, the others are logged.
        seconds: of measuring per format and batch size.

    Raises:
        ReidopsError: a format of `names` cannot be opened.
    """
    description = read_description(folder / "embedder.json")
    networks = (
        _open_shipped(folder) if names is None else {name: open_format(folder, name, threads=1) for name in names}
    )
    rng = np.random.default_rng(0)
    with _one_thread() if any(FORMATS[name].runtime == "torch" for name in networks) else nullcontext():
        times: dict[str, dict[int, float]] = {name: {} for name in networks}
        for size in batch_sizes:
            images = rng.integers(0, 256, (size, description.height, description.width, 3), np.uint8)
            for name, ms in measure_batch_ms(networks, images, seconds=seconds).items():
                times[name][size] = ms / size
    return times


def _open_shipped(folder: Path) -> dict[str, ExportedNetwork]:
    """Return the networks of the shipped formats that this machine can open; log the others.

    Raises:
        ReidopsError: `onnx` cannot be opened.
    """
    networks: dict[str, ExportedNetwork] = {}
    for name in shipped_formats(folder):
        try:
            networks[name] = open_format(folder, name, threads=1)
        except ReidopsError as error:
            if name == ONNX:
                raise
            logger.warning("the format %s is not measured: %s", name, error)
    return networks


def log_latencies(run_id: str, times: LatencyTable) -> None:
    """Log the latency table to a run as latency.json and latency.md, and one metric per format: ms per crop."""
    with open_store() as client:
        client.log_dict(
            run_id, {name: {str(size): ms for size, ms in row.items()} for name, row in times.items()}, FILE
        )
        client.log_text(run_id, as_markdown(times), Path(FILE).with_suffix(".md").name)
        for name, row in times.items():
            client.log_metric(run_id, f"latency_ms/{name}", row[BATCH])


def log_times(run_id: str, outs: Iterable[Path]) -> None:
    """Log the time per frame of the stages that made the folders `outs`: `ms_per_frame/embed` and so on.

    A folder that was restored from the cache has no times.
    """
    with open_store() as client:
        for step, ms in (pair for out in outs for pair in read_times(out).items()):
            client.log_metric(run_id, f"ms_per_frame/{step}", ms)


def as_markdown(times: LatencyTable) -> str:
    """Return the table of latencies, one row per format."""
    sizes = list(next(iter(times.values())))
    head = f"| format | {' | '.join(f'batch {size}' for size in sizes)} |\n|---|{'---|' * len(sizes)}\n"
    rows = [f"| {name} | {' | '.join(f'{row[size]:.2f}' for size in sizes)} |" for name, row in times.items()]
    return f"ms per crop on one core, the network without resizing, least times:\n\n{head}" + "\n".join(rows) + "\n"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread, for the formats that torch runs."""
    import torch  # only these formats need it

    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
