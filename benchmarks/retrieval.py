"""Measure ranking and re-ranking: `python benchmarks/retrieval.py`.

Embeddings are drawn around one centre per person, so that mAP is .5 to .8 as of a trained model: on random ones nearly the
whole gallery lies nearer than the farthest match. Seconds are CPU seconds of all threads, the least of three runs.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from reidops.retrieval.ranking import score_distances, score_embeddings


def main() -> None:
    """Print one row per measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spread", type=float, default=2.2, help="of a person's embeddings about their centre; more is harder")
    parser.add_argument("--quick", action="store_true", help="a tenth of every size")
    arguments = parser.parse_args()
    share = 10 if arguments.quick else 1
    print(f"{os.cpu_count()} cores, numpy {np.__version__}, Python {sys.version.split()[0]}")
    measure_distances(*drawn(3368 // share, 15913 // share, 750 // share, arguments.spread))
    measure_embeddings(*drawn(3368 // share, 19732 // share, 750 // share, arguments.spread))


def measure_distances(query: np.ndarray, gallery: np.ndarray, labels: dict[str, np.ndarray]) -> None:
    """Compare `score_distances` with a plain argsort implementation."""
    distances = 1 - query @ gallery.T
    ours, scores = cpu_seconds(lambda: score_distances(distances, **labels))
    plain, mean_precision = cpu_seconds(lambda: argsort_map(distances, **labels), repeats=1)
    size = f"{len(query):,} × {len(gallery):,}"
    row(f"score_distances, {size}", f"{ours:.3f} s CPU, mAP {scores.mAP:.4f}", "at most 0.30 s")
    row(f"plain argsort, {size}", f"{plain:.3f} s CPU, mAP differs by {abs(mean_precision - scores.mAP):.1e}", "")
    row("ratio plain / ours", f"{plain / ours:.1f}", "at least 20")


def measure_embeddings(query: np.ndarray, gallery: np.ndarray, labels: dict[str, np.ndarray]) -> None:
    """Compare `score_embeddings` with the matrix product that it holds."""
    ours, scores = cpu_seconds(lambda: score_embeddings(query, gallery, **labels))
    product, _ = cpu_seconds(lambda: query @ gallery.T)
    row(f"score_embeddings, {len(query):,} × {len(gallery):,} × {query.shape[1]}", f"{ours:.3f} s CPU, mAP {scores.mAP:.4f}", "")
    row("ratio to the product alone", f"{product:.3f} s CPU, {ours / product:.2f}", "at most 1.5")


def drawn(num_query: int, num_gallery: int, num_people: int, spread: float, dim: int = 512) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return query and gallery embeddings of people drawn from a seed, and their labels."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(num_people, dim)).astype(np.float32)
    pids = rng.integers(0, num_people, num_query + num_gallery)
    embeddings = centres[pids] + spread * rng.normal(size=(len(pids), dim)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    camids = rng.integers(0, 6, len(pids))
    labels = {"query_pids": pids[:num_query], "gallery_pids": pids[num_query:],
              "query_camids": camids[:num_query], "gallery_camids": camids[num_query:]}
    return embeddings[:num_query], embeddings[num_query:], labels


def argsort_map(distances: np.ndarray, query_pids: np.ndarray, gallery_pids: np.ndarray,
                query_camids: np.ndarray, gallery_camids: np.ndarray) -> float:
    """Return mAP as it is usually computed: sort every row, drop the junk, average the precision at the hits."""
    order = np.argsort(distances, axis=1)
    precisions = []
    for query in range(len(distances)):
        kept = order[query][~((gallery_pids[order[query]] == query_pids[query]) & (gallery_camids[order[query]] == query_camids[query]))]
        hits = np.flatnonzero(gallery_pids[kept] == query_pids[query])
        if len(hits):
            precisions.append((np.arange(1, len(hits) + 1) / (hits + 1)).mean())
    return float(np.mean(precisions))


def cpu_seconds(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Return the CPU seconds of the fastest of some runs, and what the work returned."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def row(what: str, measured: str, target: str) -> None:
    """Print one line of the table."""
    print(f"| {what:48} | {measured:42} | {target:14} |", flush=True)


if __name__ == "__main__":
    main()
