"""Embed the crops of several requests in one batch."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from reidops.embedding.onnx_session import NOT_RUNNABLE
from reidops.embedding.resizing import resize_crops, rows_with_pixels
from reidops.service.refusals import Busy, Refused
from reidops.serving.onnx_embedder import OnnxEmbedder

MAX_QUEUED = 4096
"""Crops that wait for the network; further requests are refused."""

_FAILURES = (*NOT_RUNNABLE, MemoryError, RuntimeError, ValueError)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Job:
    images: np.ndarray
    result: "Future[np.ndarray]" = field(default_factory=Future)


class BatchingEmbedder:
    """An embedder with the interface of `Embedder` whose calls from several threads share batches.

    A call runs the network at once in its own thread if no other call does. Otherwise its crops wait, and the
    embedder's thread runs the network on whatever waits. It never waits for more, so a single request has no delay.
    """

    def __init__(
        self, embedder: OnnxEmbedder, max_batch: int = 64, on_batch: Callable[[int], None] = lambda num_crops: None
    ) -> None:
        self._embedder, self._max_batch, self._on_batch = embedder, max_batch, on_batch
        self._jobs: deque[_Job] = deque()
        self._num_queued = 0
        self._is_running = False
        self._changed = threading.Condition()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")

    @property
    def dim(self) -> int:
        """Return the length of an embedding."""
        return self._embedder.dim

    @property
    def weights_sha256(self) -> str:
        """Return the SHA-256 of the weights."""
        return self._embedder.weights_sha256

    @property
    def input_size(self) -> tuple[int, int]:
        """Return the network's input, height and width in px."""
        return self._embedder.input_size

    def embed(self, crops: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of BGR crops uint8 [h, w, 3]; zeros for a crop without a pixel."""
        rows = rows_with_pixels(crops)
        embeddings = np.zeros((len(crops), self.dim), np.float32)
        if rows:
            embeddings[rows] = self.submit(resize_crops([crops[row] for row in rows], *self.input_size)).result()
        return embeddings

    def submit(self, images: np.ndarray) -> "Future[np.ndarray]":
        """Return the embeddings, [N, dim], of resized images, RGB uint8 [N, height, width, 3], as a future.

        If the network is idle, it runs within this call, and the future is done.

        Raises:
            Busy: too many crops wait.
        """
        job = _Job(images)
        with self._changed:
            if self._num_queued + len(images) > MAX_QUEUED:
                raise Busy(f"{self._num_queued:,} crops wait for the network; try again later")
            self._jobs.append(job)
            self._num_queued += len(images)
            is_first, self._is_running = not self._is_running, True
        if is_first:
            self._run()
        return job.result

    def close(self) -> None:
        """Embed what waits, and end the thread."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_running)
        self._thread.shutdown()

    def _run(self) -> None:
        """Run one batch, and leave what waits then to the embedder's thread."""
        try:
            self._run_batch()
        finally:
            if self._has_waiting():
                self._thread.submit(self._run).add_done_callback(_log_failure)

    def _has_waiting(self) -> bool:
        """Return whether a job waits; if none does, the next call of `submit` runs the network."""
        with self._changed:
            self._is_running = bool(self._jobs)
            self._changed.notify_all()
            return self._is_running

    def _run_batch(self) -> None:
        """Embed the jobs that fit into a batch; if the network fails, each of them gets an error."""
        jobs = self._next_jobs()
        if not jobs:
            return
        try:
            embeddings = self._embed(np.concatenate([job.images for job in jobs]) if len(jobs) > 1 else jobs[0].images)
            ends = np.cumsum([len(job.images) for job in jobs])
            for job, end in zip(jobs, ends, strict=True):
                job.result.set_result(embeddings[end - len(job.images) : end])
        except _FAILURES:
            log.exception("the network failed")
        finally:
            for job in jobs:
                if not job.result.done():
                    job.result.set_exception(Refused(500, "the network failed; the log of the service has the reason"))

    def _embed(self, images: np.ndarray) -> np.ndarray:
        batches = [images[i : i + self._max_batch] for i in range(0, len(images), self._max_batch)]
        for batch in batches:
            self._on_batch(len(batch))
        return np.concatenate([self._embedder.embed_images(batch) for batch in batches])

    def _next_jobs(self) -> list[_Job]:
        """Return the jobs that fit into a batch, without those that were cancelled."""
        with self._changed:
            jobs: list[_Job] = []
            num_crops = 0
            while self._jobs and (not jobs or num_crops + len(self._jobs[0].images) <= self._max_batch):
                job = self._jobs.popleft()
                self._num_queued -= len(job.images)
                if job.result.set_running_or_notify_cancel():
                    jobs.append(job)
                    num_crops += len(job.images)
            return jobs


def _log_failure(work: "Future[None]") -> None:
    if work.exception() is not None:
        log.error("the network failed", exc_info=work.exception())
