"""Compare the formats of an exported embedder on Market-1501's test people: ms per crop, least cosine, and mAP.

    python benchmarks/runtime.py --model data/model --formats onnx onnx-int8 openvino openvino-int8
    python benchmarks/runtime.py --weights ../shared/data/weights/osnet_x0_25_msmt17.pt --size 256 128

The formats take turns in one process, and the least time of each counts. With one thread it is CPU time, which other
work on the machine hardly changes; with two it is wall time. The scales of int8 come from crops of training people.
"""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch

from reidops.datasets.market1501 import list_part
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.exported import ExportedNetwork, measure_batch_ms, open_format
from reidops.embedding.network import EmbeddingNetwork
from reidops.embedding.resizing import resize_crops
from reidops.retrieval.ranking import score_embeddings
from reidops.serving.format_export import write_format
from reidops.serving.onnx_export import export_onnx
from reidops.training.weights import load_weights

BATCH_SIZES = (1, 8, 32)


def main() -> None:
    """Print one table of times for each number of threads, and one of differences."""
    options = _parser().parse_args()
    torch.set_num_threads(1)
    embedder = _embedder(options)
    market = Path(options.data) / "Market-1501-v15.09.15"
    calibration = _calibration(market, options.num_calibration, embedder.input_size)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        embedder.save(folder)
        export_onnx(embedder, folder / "model.onnx")
        for name in options.formats:
            remark = "" if name == "onnx" else write_format(name, embedder, folder, calibration, mild=options.mild)
            print(f"wrote {name}: {remark}", flush=True)
        for threads in options.threads:
            networks = {name: open_format(folder, name, threads=threads) for name in options.formats}
            _print_times(networks, calibration, threads, options.seconds)
        if options.rank:
            _print_differences(networks, market, embedder.input_size)


def _print_times(networks: dict[str, ExportedNetwork], images: np.ndarray, threads: int, seconds: float) -> None:
    torch.set_num_threads(threads)
    clock, kind = (time.process_time, "CPU") if threads == 1 else (time.perf_counter, "wall")
    print(f"{threads} threads, least {kind} time, ms per crop (times as fast as onnx)", flush=True)
    for size in BATCH_SIZES:
        batch = np.resize(images, (size, *images.shape[1:]))
        times = measure_batch_ms(networks, batch, seconds=seconds, clock=clock)
        cells = [f"{name} {ms / size:.2f} ({times['onnx'] / ms:.2f})" for name, ms in times.items()]
        print(f"batch {size}: {', '.join(cells)}", flush=True)


def _print_differences(networks: dict[str, ExportedNetwork], market: Path, size: tuple[int, int]) -> None:
    crops, _ = list_part(market, "test")
    images = _read(crops["file"], size)
    is_query = (crops["role"] == "query").to_numpy()
    reference = None
    for name, network in networks.items():
        rows = np.concatenate([network.embed(images[i : i + 32]) for i in range(0, len(images), 32)])
        reference = rows if reference is None else reference
        cosines = (rows * reference).sum(axis=1)
        scores = _score(rows, crops, is_query)
        print(f"{name}: cosine {cosines.mean():.5f}, least {cosines.min():.5f}, {scores}", flush=True)


def _score(rows: np.ndarray, crops, is_query: np.ndarray) -> str:  # type: ignore[no-untyped-def]
    pids, camids = crops["published_pid"].to_numpy(), crops["camera"].to_numpy()
    scores = score_embeddings(
        rows[is_query],
        rows[~is_query],
        query_pids=pids[is_query],
        gallery_pids=pids[~is_query],
        query_camids=camids[is_query],
        gallery_camids=camids[~is_query],
        junk="same-camera",
    )
    return f"mAP {scores.mAP:.4f}, rank1 {scores.rank1:.4f}"


def _calibration(market: Path, num: int, size: tuple[int, int]) -> np.ndarray:
    files = list_part(market, "train")[0]["file"].sort_values().to_numpy()
    return _read(np.random.default_rng(0).permutation(files)[:num], size)


def _read(files: Iterable[str], size: tuple[int, int]) -> np.ndarray:
    return resize_crops([cv2.imread(file) for file in files], *size)


def _embedder(options: argparse.Namespace) -> Embedder:
    if options.model:
        return Embedder.load(options.model)
    height, width = options.size
    torch.manual_seed(0)
    network = EmbeddingNetwork(options.backbone, height=height, width=width)
    load_weights(network, options.weights)
    told = {"backbone": options.backbone, "embedding_dim": 0, "pooling": "avg", "last_stride": 2, "num_classes": 0}
    return Embedder(network, describe(network, **told, height=height, width=width))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--model", help="a folder such as data/model, instead of --weights")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--backbone", default="osnet_x0_25")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128), help="height and width, px")
    parser.add_argument("--formats", nargs="+", default=["onnx", "onnx-int8", "onnx-fp16", "torchscript"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring per format and batch size")
    parser.add_argument("--num-calibration", type=int, default=128)
    parser.add_argument("--mild", action="store_true", help="grouped convolutions keep float32 in onnx-int8")
    parser.add_argument("--rank", action=argparse.BooleanOptionalAction, default=True)
    return parser


if __name__ == "__main__":
    main()
