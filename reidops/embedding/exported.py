"""Open an exported network in one of its formats, or in the one that is fastest on this machine.

A registered model carries this module. torch and OpenVINO are imported only with their formats.
"""

import importlib
import importlib.util
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from reidops.embedding.description import (
    EmbedderDescription,
    check_golden,
    check_golden_embeddings,
    golden_crop,
    golden_crops,
)
from reidops.embedding.formats import FORMATS, ONNX, FormatFigures, check_format, shipped_formats
from reidops.embedding.resizing import resize_crops
from reidops.errors import ReidopsError

logger = logging.getLogger(__name__)

AUTO = "auto"
_BATCH = 8
_MIN_ROUNDS = 3
_SECONDS = 0.3  # of measuring per format
_LEAST_GOLDEN_COSINE = 0.98  # of a rounded format on another machine: its instructions may round differently


class ExportedNetwork(Protocol):
    """A network that runs in its runtime."""

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of one batch, RGB uint8 [N, height, width, 3]."""


def missing_packages(name: str) -> list[str]:
    """Return the packages of a format that are not installed."""
    return [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]


def check_packages(name: str) -> None:
    """Check that the packages of a format are installed.

    Raises:
        ReidopsError: one is missing; the extra that installs it is named.
    """
    missing = missing_packages(name)
    if missing:
        raise ReidopsError(
            f"format {name}: {', '.join(missing)} is not installed; run pip install '.[{FORMATS[name].extra}]' or "
            "leave the format out of export.formats"
        )


def open_format(folder: Path, name: str, *, threads: int = 0, providers: str | Sequence[str] = AUTO) -> ExportedNetwork:
    """Return the network of a folder in one format, without any check of its embeddings.

    Args:
        threads: 0 = one per core; the formats of torch use torch's own setting.
        providers: execution providers of ONNX Runtime, for its formats.

    Raises:
        ReidopsError: a package or a provider is not installed, or the file is missing or damaged.
    """
    check_packages(name)
    known, path = FORMATS[name], folder / FORMATS[name].files[0]
    # By name, because the code of a registered model has neither of these modules, nor the packages that they need.
    if known.runtime == "torch":
        return importlib.import_module(".torch_exported", __package__).TorchExported(path)
    if known.runtime == "openvino":
        runtime = importlib.import_module(".openvino_network", __package__)
        return runtime.OpenVinoNetwork(path, threads, rounded=known.rounded)
    # Imported here, because the formats of torch and OpenVINO do not need ONNX Runtime.
    from reidops.embedding.onnx_session import TENSORRT, OnnxNetwork

    return OnnxNetwork(path, threads, [TENSORRT] if name == "tensorrt" else providers)


def open_checked(
    folder: Path,
    name: str,
    description: EmbedderDescription,
    *,
    threads: int = 0,
    providers: str | Sequence[str] = AUTO,
) -> ExportedNetwork:
    """Return the network of a folder in one format after its self-test.

    Raises:
        ReidopsError: as `check_format` and `open_format`, or the self-test fails.
    """
    figures = check_format(folder, name)
    network = open_format(folder, name, threads=threads, providers=providers)
    size = description.height, description.width
    golden = network.embed(resize_crops(golden_crops(), *size))
    if figures is not None and FORMATS[name].rounded:
        _check_rounded(golden, figures, f"{folder} ({name})")
    else:
        check_golden(network.embed(resize_crops([golden_crop()], *size))[0], description, str(folder))
        check_golden_embeddings(golden, description, str(folder))
    return network


def open_fastest(
    folder: Path,
    description: EmbedderDescription,
    *,
    threads: int = 0,
    providers: str | Sequence[str] = AUTO,
    among: Sequence[str] = tuple(FORMATS),
) -> tuple[str, ExportedNetwork]:
    """Return the shipped format that is fastest on this machine, and its network.

    Each format that is shipped and installed, and whose self-test passes, embeds batches of 8 images for .3 s. With one
    format nothing is measured.

    Raises:
        ReidopsError: none can be opened; the reason of the first is given.
    """
    names = [name for name in shipped_formats(folder) if name in among] or [ONNX]
    networks: dict[str, ExportedNetwork] = {}
    refusals: dict[str, ReidopsError] = {}
    for name in names:
        try:
            networks[name] = open_checked(folder, name, description, threads=threads, providers=providers)
        except ReidopsError as error:
            refusals[name] = error
    if not networks:
        raise next(iter(refusals.values()))
    for name, refusal in refusals.items():
        logger.warning("%s: the format %s is not used: %s", folder, name, refusal)
    fastest = _choose(networks, (description.height, description.width))
    return fastest, networks[fastest]


def measure_batch_ms(
    networks: Mapping[str, ExportedNetwork],
    images: np.ndarray,
    *,
    seconds: float = _SECONDS,
    clock: Callable[[], float] | None = None,
) -> dict[str, float]:
    """Return the least time of one batch in ms by name; the networks take turns for `seconds` each, at least 3 times.

    The least time depends least on other work of the machine.

    Args:
        clock: in seconds, None = the wall's. `time.process_time` is the time of the CPU, of one thread.
    """
    now = clock or time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in networks}
    for network in networks.values():
        network.embed(images)  # the first call allocates memory
    end = time.perf_counter() + seconds * len(networks)
    while len(next(iter(times.values()))) < _MIN_ROUNDS or time.perf_counter() < end:
        for name, network in networks.items():
            begin = now()
            network.embed(images)
            times[name].append(now() - begin)
    return {name: 1000 * min(row) for name, row in times.items()}


def _choose(networks: Mapping[str, ExportedNetwork], size: tuple[int, int]) -> str:
    if len(networks) == 1:
        return next(iter(networks))
    images = np.random.default_rng(0).integers(0, 256, (_BATCH, *size, 3), np.uint8)
    times = measure_batch_ms(networks, images)
    fastest = min(times, key=lambda name: times[name])
    shown = ", ".join(f"{name} {ms / _BATCH:.2f}" for name, ms in times.items())
    logger.info("the format %s is the fastest here (ms per crop in batches of %d: %s)", fastest, _BATCH, shown)
    return fastest


def _check_rounded(golden: np.ndarray, figures: FormatFigures, where: str) -> None:
    """Compare the golden embeddings with those of the machine that exported the model."""
    cosine = float((golden * np.array(figures.golden_embeddings, np.float32)).sum(axis=1).min())
    if not cosine >= _LEAST_GOLDEN_COSINE:
        raise ReidopsError(
            f"{where}: the self-test failed: the cosine between a golden crop's embedding and that of the exporting "
            f"machine is {cosine:.4f}, expected at least {_LEAST_GOLDEN_COSINE:g}; this processor rounds the format "
            "differently, use the format onnx or export on such a machine"
        )
