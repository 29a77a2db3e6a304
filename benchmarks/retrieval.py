"""Measure ranking, re-ranking and the embedding of test crops: `python benchmarks/retrieval.py`.

python benchmarks/retrieval.py [--rows score_distances rerank …] [--repeats 3] [--threads 1] [--quick]

Every row runs in its own process, in which the work and its baseline alternate. CPU and wall seconds are the minimum of
the repeats; CPU seconds include all threads. With one thread both are equal on an idle machine; with more threads, CPU
seconds include threads of the product that wait for the next block. Peak memory is that of the process, including
Python and the embeddings, before the baseline has run.

Embeddings are clustered around one centre per person, so that mAP is .5 to .8 as for a trained model. With random
embeddings nearly the whole gallery is nearer than the farthest match.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

SPREAD = 2.2  # of a person's embeddings about their centre; more is harder
DIM = 512
PRODUCT_ROWS = (
    1024  # queries per block of the plain product; the whole product is slower, because it allocates more pages
)


@dataclass(frozen=True)
class Work:
    """The functions of a row: `ours`, which returns a note for the table, and the baseline `base`."""

    ours: Callable[[], str]
    base: Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One row of the table: the measured work, its target, and the ratio to show."""

    what: str
    size: str
    target: str
    ratio: str = ""
    once: bool = False
    all_cores: bool = False


@dataclass(frozen=True)
class Measured:
    """The minimum seconds of several runs, and the peak memory of the process [MB]."""

    note: str
    cpu_s: float
    wall_s: float
    base_cpu_s: float
    base_wall_s: float
    peak_mb: float


def prepare_score_distances(share: int) -> Work:
    """Rank a matrix of distances; the baseline is a plain argsort implementation."""
    from reidops.retrieval.ranking import score_distances

    query, gallery, labels = drawn(3368 // share, 15913 // share, 750 // share)
    distances = 1 - query @ gallery.T
    return Work(lambda: f"mAP {score_distances(distances, **labels).mAP:.4f}", lambda: argsort_map(distances, **labels))


def prepare_score_embeddings(share: int) -> Work:
    """Rank embeddings of Market-1501's size; the baseline is their matrix product."""
    return _ranking(*drawn(3368 // share, 19732 // share, 750 // share))


def prepare_score_embeddings_msmt17(share: int) -> Work:
    """Rank embeddings of MSMT17's size; the baseline is their matrix product."""
    return _ranking(*drawn(11659 // share, 82161 // share, 3060 // share))


def _ranking(query: np.ndarray, gallery: np.ndarray, labels: dict[str, np.ndarray]) -> Work:
    from reidops.retrieval.ranking import score_embeddings

    return Work(lambda: f"mAP {score_embeddings(query, gallery, **labels).mAP:.4f}", lambda: product(query, gallery))


def prepare_rerank(share: int) -> Work:
    """Re-rank 3,368 queries in a gallery of 15,913; the baseline is the matrix product of all crops."""
    from reidops.retrieval.reranking import reranked_blocks

    query, gallery, _ = drawn(3368 // share, 15913 // share, 750 // share)
    crops = np.concatenate([query, gallery])
    query, gallery = crops[: len(query)], crops[len(query) :]
    return Work(lambda: f"{sum(map(len, reranked_blocks(query, gallery))):,} queries", lambda: product(crops, crops))


def prepare_embed(share: int) -> Work:
    """Embed synthetic crops of 128 × 64 px from a crops.tar; the baseline is the forward pass on prepared batches."""
    import pandas as pd
    from random_embedder import random_embedder
    from training import draw_crops

    from reidops.embedding.images import CropStore, load_images
    from reidops.memory import keep_freed_memory
    from reidops.retrieval.crop_embedding import embed_rows

    keep_freed_memory()  # as the stage does, for the forward and for us
    backbone, (height, width) = ("resnet10t", (96, 48)) if share == 1 else ("mobilenetv4_conv_small_050", (32, 16))
    embedder = random_embedder(backbone, height, width)
    with tempfile.TemporaryDirectory() as folder:
        crops = draw_crops(Path(folder), num_people=64 // share)
        # stays open when the folder is gone
        store = CropStore(crops / "crops.tar", pd.read_parquet(crops / "crops.parquet"))
    rows = np.arange(len(store))
    batches = np.split(load_images(store, rows, height, width), range(64, len(store), 64))

    def ours() -> str:
        embed_rows(embedder, store, rows, 64)
        return f"{backbone}, {height} × {width} px"

    ours()  # what PyTorch does once only, for either
    return Work(ours, lambda: [embedder.embed_images(batch) for batch in batches])


ROWS = {
    "score_distances": Row(
        "score_distances", "3,368 × 15,913", "0.30 s CPU, 1/20 of a plain argsort's", "argsort / ours"
    ),
    "score_embeddings": Row("score_embeddings", "3,368 × 19,732 × 512", "1.5 × the product", "ours / product"),
    "score_embeddings_msmt17": Row(
        "score_embeddings", "11,659 × 82,161 × 512", "2 GB, 1.5 × the product", "ours / product", once=True
    ),
    "rerank": Row("re-ranking", "N = 19,281 × 512", "7 s CPU, 1 GB", "ours / product", once=True),
    "embed": Row(
        "embedding of crops", "1,024 crops", "0.95 of the forward's throughput", "forward / ours", all_cores=True
    ),
}


def drawn(num_query: int, num_gallery: int, num_people: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return random query and gallery embeddings of people, and their labels."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((num_people, DIM), np.float32)
    pids, camids = rng.integers(0, num_people, num_query + num_gallery), rng.integers(0, 6, num_query + num_gallery)
    embeddings = rng.standard_normal((len(pids), DIM), np.float32)
    embeddings *= SPREAD
    for start in range(0, len(pids), PRODUCT_ROWS):
        part = embeddings[start : start + PRODUCT_ROWS]
        part += centres[pids[start : start + PRODUCT_ROWS]]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    labels = {
        "query_pids": pids[:num_query],
        "gallery_pids": pids[num_query:],
        "query_camids": camids[:num_query],
        "gallery_camids": camids[num_query:],
    }
    return embeddings[:num_query], embeddings[num_query:], labels


def product(query: np.ndarray, gallery: np.ndarray) -> None:
    """Compute the matrix product block by block in a reused buffer."""
    buffer = np.empty((PRODUCT_ROWS, len(gallery)), np.float32)
    for start in range(0, len(query), PRODUCT_ROWS):
        block = query[start : start + PRODUCT_ROWS]
        np.matmul(block, gallery.T, out=buffer[: len(block)])


def argsort_map(
    distances: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    query_camids: np.ndarray,
    gallery_camids: np.ndarray,
) -> float:
    """Return mAP by the usual method: sort every row, drop the junk, average the precision at the hits."""
    order = np.argsort(distances, axis=1)
    precisions = []
    for query in range(len(distances)):
        kept = order[query][
            ~((gallery_pids[order[query]] == query_pids[query]) & (gallery_camids[order[query]] == query_camids[query]))
        ]
        hits = np.flatnonzero(gallery_pids[kept] == query_pids[query])
        if len(hits):
            precisions.append((np.arange(1, len(hits) + 1) / (hits + 1)).mean())
    return float(np.mean(precisions))


def measure(name: str, share: int, repeats: int) -> Measured:
    """Run one row in this process; the preparation is not timed."""
    work = globals()[f"prepare_{name}"](share)
    ours, base, note, peak_mb = [], [], "", 0.0
    for repeat in range(1 if ROWS[name].once else repeats):
        began = _clocks()
        note = work.ours()
        ours.append(_since(began))
        if repeat == 0:
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began = _clocks()
        work.base()
        base.append(_since(began))
    return Measured(note, *np.min(ours, axis=0).tolist(), *np.min(base, axis=0).tolist(), peak_mb)


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _since(began: tuple[float, float]) -> tuple[float, float]:
    return time.process_time() - began[0], time.perf_counter() - began[1]


def measure_apart(name: str, arguments: argparse.Namespace) -> Measured:
    """Run one row in its own process."""
    command = [sys.executable, __file__, "--row", name, "--repeats", str(arguments.repeats)] + [
        "--quick"
    ] * arguments.quick
    threads = (
        {}
        if ROWS[name].all_cores
        else {variable: str(arguments.threads) for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    )
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads)
    if ran.returncode:
        raise SystemExit(f"{name}: {ran.stderr}")
    return Measured(**json.loads(ran.stdout.splitlines()[-1]))


def table_row(row: Row, found: Measured, quick: bool) -> list[str]:
    """Return the cells of one row; a ratio is labelled with its numerator and denominator."""
    upside_down = row.ratio.endswith("/ ours")
    ratios = [
        base / ours if upside_down else ours / base
        for ours, base in ((found.cpu_s, found.base_cpu_s), (found.wall_s, found.base_wall_s))
    ]
    size = f"a tenth of {row.size}" if quick else row.size
    return [
        f"{row.what}, {size}",
        row.target,
        f"{found.cpu_s:.3f}",
        f"{found.wall_s:.3f}",
        row.ratio,
        *(f"{ratio:.2f}" for ratio in ratios),
        f"{found.peak_mb:.0f}",
        found.note,
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=sorted(ROWS), default=list(ROWS))
    parser.add_argument("--repeats", type=int, default=3, help="of all rows but the two that take long")
    parser.add_argument("--threads", type=int, default=1, help="of the matrix products; embedding takes all cores")
    parser.add_argument("--quick", action="store_true", help="a tenth of every size")
    parser.add_argument("--row", choices=sorted(ROWS), help="run one row in this process and print its bare figures")
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(asdict(measure(arguments.row, 10 if arguments.quick else 1, arguments.repeats))))
        return
    print(
        f"{os.cpu_count()} cores, {arguments.threads} thread(s), numpy {np.__version__}, Python "
        f"{sys.version.split()[0]}\n"
    )
    titles = ["work", "bound", "CPU s", "wall s", "ratio", "of CPU s", "of wall s", "peak MB", ""]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for name in arguments.rows:
        print(f"| {' | '.join(table_row(ROWS[name], measure_apart(name, arguments), arguments.quick))} |", flush=True)


if __name__ == "__main__":
    main()
