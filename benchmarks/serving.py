"""Measure the service and the registered model against the bare ONNX session.

    python benchmarks/serving.py --model data/export

Prints crops/s of batches (the bare session on resized pixels, the embedder on crops, the service's batcher with
several threads) and the milliseconds of one crop (bare session, embedder, pyfunc from an array and from a JPEG, HTTP
on loopback). The ways are measured in turns, so that other load meets all of them. Medians are printed of wall
times and of the CPU times of this process (client and service), which other load changes less.
"""

import argparse
import http.client
import io
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import uvicorn
from PIL import Image

from reidops.embedding.resizing import resize_crops
from reidops.service.application import NUMPY, Service, create_application
from reidops.service.batching import BatchingEmbedder
from reidops.service.bodies import JSON
from reidops.service.metrics import Metrics
from reidops.service.served_model import CurrentModel
from reidops.service.settings import ServiceSettings
from reidops.service.sources import FolderSource
from reidops.serving.crop_inputs import read_crops
from reidops.serving.onnx_embedder import OnnxEmbedder

BATCH = 64
PORT = 8765


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("data/export"))
    parser.add_argument("--threads", type=int, default=0, help="of the network; 0 = one per core")
    parser.add_argument("--rounds", type=int, default=15, help="of the batches")
    parser.add_argument("--singles", type=int, default=150, help="rounds of one crop")
    options = parser.parse_args()
    embedder = OnnxEmbedder(options.model, threads=options.threads)
    rng = np.random.default_rng(0)
    sizes = zip(rng.integers(90, 220, BATCH), rng.integers(40, 90, BATCH), strict=True)
    crops = [rng.integers(0, 256, (height, width, 3), np.uint8) for height, width in sizes]
    print_batches(embedder, crops, options.rounds)
    print_singles(embedder, crops[0], options)


def print_batches(embedder: OnnxEmbedder, crops: list[np.ndarray], rounds: int) -> None:
    """Print crops/s of batches of 64 in each way."""
    images = resize_crops(crops, *embedder.input_size)
    batching = BatchingEmbedder(embedder, BATCH)
    with ThreadPoolExecutor(2) as threads:
        seconds = measure(
            {
                "bare session, resized pixels": lambda: embedder.embed_images(images),
                "embedder, crops": lambda: embedder.embed(crops),
                "batcher, two threads at once, crops": lambda: list(threads.map(batching.embed, [crops, crops])),
            },
            rounds,
        )
    bare = seconds["bare session, resized pixels"]
    print(f"batches of {BATCH}: crops/s and ratio to the bare session; wall time, CPU time")
    for name, value in seconds.items():
        num = BATCH * (2 if "two threads" in name else 1)
        rates = [f"{num / value[i]:.0f}, {num / value[i] * bare[i] / BATCH:.2f}" for i in (0, 1)]
        print(f"  {name}: {'; '.join(rates)}")


def print_singles(embedder: OnnxEmbedder, crop: np.ndarray, options: argparse.Namespace) -> None:
    """Print the milliseconds of one crop in each way."""
    image, encoded = resize_crops([crop], *embedder.input_size), as_jpeg(crop)
    start_service(options.model, options.threads)
    with closing(http.client.HTTPConnection("127.0.0.1", PORT)) as connection:
        seconds = measure(
            {
                "bare session, resized pixels": lambda: embedder.embed_images(image),
                "embedder, crop": lambda: embedder.embed([crop]),
                "model's predict, array": lambda: embedder.embed(read_crops(crop)),
                "model's predict, JPEG": lambda: embedder.embed(read_crops(encoded)),
                "HTTP on loopback, JPEG": lambda: ask(connection, encoded, NUMPY),
                "HTTP on loopback, JPEG, answered in JSON": lambda: ask(connection, encoded, JSON),
            },
            options.singles,
        )
    bare = seconds["bare session, resized pixels"]
    print("one crop: ms and ms above the bare session; wall time, CPU time")
    for name, value in seconds.items():
        print(f"  {name}: {'; '.join(f'{1e3 * value[i]:.2f}, {1e3 * (value[i] - bare[i]):+.2f}' for i in (0, 1))}")


def measure(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return the median wall time and CPU time of each way, in seconds; the ways take turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for round_ in range(rounds + 2):
        for name, way in ways.items():
            start = time.perf_counter(), time.process_time()
            way()
            if round_ >= 2:  # the first rounds warm up
                times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {name: tuple(np.median(values, axis=0).tolist()) for name, values in times.items()}


def start_service(model: Path, threads: int) -> None:
    """Start the service in a thread of this process."""
    source = FolderSource(model, lambda folder: BatchingEmbedder(OnnxEmbedder(folder, threads=threads)))
    application = create_application(Service(CurrentModel(source), ServiceSettings(), Metrics()))
    server = uvicorn.Server(uvicorn.Config(application, port=PORT, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)


def ask(connection: http.client.HTTPConnection, encoded: bytes, accept: str) -> None:
    """Send one JPEG, and read the embedding."""
    connection.request("POST", "/embed", encoded, {"content-type": "image/jpeg", "accept": accept})
    answer = connection.getresponse().read()
    np.load(io.BytesIO(answer)) if accept == NUMPY else np.array(json.loads(answer)["embeddings"], np.float32)


def as_jpeg(crop_bgr: np.ndarray) -> bytes:
    """Return a crop as JPEG."""
    stream = io.BytesIO()
    Image.fromarray(crop_bgr[:, :, ::-1]).save(stream, "JPEG", quality=90)
    return stream.getvalue()


if __name__ == "__main__":
    main()
