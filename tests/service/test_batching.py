"""reidops/service/batching.py: requests share batches, and each gets its own rows."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from reidops.service import batching
from reidops.service.batching import BatchingEmbedder
from reidops.service.refusals import Busy, Refused


class SlowNetwork:
    """Embed each image as its first pixel; wait until `go` is set."""

    dim, weights_sha256, input_size = 3, "f" * 64, (8, 4)

    def __init__(self) -> None:
        self.go, self.started, self.sizes = threading.Event(), threading.Event(), []

    def embed_images(self, images):
        self.started.set()
        self.go.wait(5)
        self.sizes.append(len(images))
        if (images == 255).any():
            raise RuntimeError("out of memory")
        return images[:, 0, 0].astype(np.float32)


def images_of(value: int, number: int = 1) -> np.ndarray:
    return np.full((number, 8, 4, 3), value, np.uint8)


def test_waiting_requests_share_a_batch_and_get_their_own_rows():
    network = SlowNetwork()
    embedder = BatchingEmbedder(network, max_batch=8)
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(embedder.submit, images_of(0))
        network.started.wait(5)
        others = [embedder.submit(images_of(value, 2)) for value in range(1, 6)]
        network.go.set()
        assert (first.result(5).result(5) == 0).all()
    for value, result in enumerate(others, 1):
        assert result.result(5).tolist() == [[value] * 3] * 2
    embedder.close()
    assert network.sizes == [1, 8, 2]


def test_a_large_request_is_cut_into_batches():
    network = SlowNetwork()
    network.go.set()
    embedder = BatchingEmbedder(network, max_batch=4)
    assert len(embedder.submit(images_of(1, 10)).result(5)) == 10
    embedder.close()
    assert network.sizes == [4, 4, 2]


def test_a_failure_of_the_network_reaches_its_requests_and_the_next_one_is_answered():
    network = SlowNetwork()
    network.go.set()
    embedder = BatchingEmbedder(network)
    with pytest.raises(Refused, match="the network failed") as caught:
        embedder.submit(images_of(255)).result(5)
    assert caught.value.status == 500
    assert (embedder.submit(images_of(7)).result(5) == 7).all()
    embedder.close()


def test_too_many_waiting_crops_are_refused(monkeypatch):
    monkeypatch.setattr(batching, "MAX_QUEUED", 3)
    network = SlowNetwork()
    embedder = BatchingEmbedder(network)
    with pytest.raises(Busy, match="try again later"):
        embedder.submit(images_of(1, 4))
    network.go.set()
    embedder.close()


def test_an_idle_network_runs_in_the_thread_of_the_call():
    network = SlowNetwork()
    network.go.set()
    embedder = BatchingEmbedder(network, on_batch=lambda num_crops: threads.append(threading.current_thread()))
    threads: list[threading.Thread] = []
    for value in range(3):
        assert embedder.submit(images_of(value)).done()
    assert threads == [threading.current_thread()] * 3
    embedder.close()


def test_the_call_that_runs_the_network_does_not_run_the_crops_of_later_calls():
    network, threads = SlowNetwork(), []
    embedder = BatchingEmbedder(network, 2, lambda num_crops: threads.append(threading.current_thread().name))
    with ThreadPoolExecutor(1, thread_name_prefix="caller") as thread:
        first = thread.submit(embedder.submit, images_of(0))
        network.started.wait(5)
        later = [embedder.submit(images_of(value, 2)) for value in (1, 2, 3)]
        network.go.set()
        first.result(5)
        assert [int(result.result(5)[0, 0]) for result in later] == [1, 2, 3]
    embedder.close()
    assert threads == ["caller_0"] + ["embedder_0"] * 3


def test_closing_answers_what_waits():
    network = SlowNetwork()
    embedder = BatchingEmbedder(network)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(embedder.submit, images_of(0))
        network.started.wait(5)
        later = [embedder.submit(images_of(value)) for value in (1, 2, 3)]
        closing = threads.submit(embedder.close)
        network.go.set()
        closing.result(5)
    assert [int(result.result(0)[0, 0]) for result in (first.result(0), *later)] == [0, 1, 2, 3]


def test_crops_without_a_pixel_have_zero_embeddings():
    network = SlowNetwork()
    network.go.set()
    embedder = BatchingEmbedder(network)
    rows = embedder.embed([np.zeros((0, 4, 3), np.uint8), np.full((9, 9, 3), 5, np.uint8)])
    assert rows.tolist() == [[0, 0, 0], [5, 5, 5]]
    embedder.close()
