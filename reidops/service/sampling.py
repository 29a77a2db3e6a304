"""The sampled log of the service: what cameras showed, for `reidops drift`; off by default and bounded in size."""

import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reidops.drift.observations import Observations, observe_picture
from reidops.drift.samples import COLUMNS, SUFFIX, write_sample
from reidops.errors import ReidopsError
from reidops.service.batching import BatchingEmbedder

log = logging.getLogger(__name__)

PAIR_SECONDS = 0.5  # between the two frames of a pair, as in the reference

Frame = tuple[list[dict[str, float]], list[np.ndarray]]


@dataclass(frozen=True)
class SampleSettings:
    """Where and how much is logged.

    Attributes:
        folder: of the log.
        rate: share of the frames that begin a pair of sampled frames.
        max_bytes: size of the log; the oldest samples are deleted beyond it.
    """

    folder: Path
    rate: float = 0.01
    max_bytes: int = 100 << 20


@dataclass
class SampleLog:
    """Samples pairs of frames of each camera, half a second apart, and writes their figures and embeddings."""

    settings: SampleSettings
    clock: Callable[[], float] = time.time
    draw: Callable[[], float] = random.random
    _begun: dict[str, tuple[float, str, Frame]] = field(default_factory=dict)
    _sizes: dict[Path, int] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def consider(
        self, camera: str, picture: np.ndarray, boxes_ltwh: np.ndarray, confidences: np.ndarray, model: BatchingEmbedder
    ) -> None:
        """Sample a frame if it is drawn, or if it is the second one of a pair. A full disk stops no request."""
        now, weights = self.clock(), model.weights_sha256
        with self._lock:
            begun = self._begun.get(camera)
            is_second = begun is not None and not 0 <= now - begun[0] < PAIR_SECONDS  # a clock can be set back
            is_first = begun is None and self.draw() < self.settings.rate
            if is_second:
                del self._begun[camera]
        if not (is_first or is_second):
            return
        frame = observe_picture(picture, boxes_ltwh, confidences)
        if begun is None:
            self._begin(camera, now, weights, frame)
        elif begun[1] == weights and 0 <= now - begun[0] < 4 * PAIR_SECONDS:  # neither a reload nor a gap in between
            self._write(camera, now, (begun[2], frame), model)

    def _begin(self, camera: str, now: float, weights: str, frame: Frame) -> None:
        with self._lock:
            old = [name for name, begun in self._begun.items() if now - begun[0] > 4 * PAIR_SECONDS]
            for name in old:  # cameras that sent no second frame
                del self._begun[name]
            self._begun[camera] = (now, weights, frame)

    def _write(self, camera: str, now: float, frames: tuple[Frame, Frame], model: BatchingEmbedder) -> None:
        rows = [
            {"is_later": later, **row} for later, frame in zip((False, True), frames, strict=True) for row in frame[0]
        ]
        crops = [crop for frame in frames for crop in frame[1]]
        columns = {
            name: np.array([row[name] for row in rows], bool if name == "is_later" else float) for name in COLUMNS
        }
        embeddings = model.embed(crops) if crops else np.zeros((0, model.dim), np.float32)
        pair = Observations(camera, pair=np.zeros(len(rows), int), embeddings=embeddings, num_frames=2, **columns)
        path = self._place(camera, now, model.weights_sha256)
        try:
            write_sample(path, pair)
            self._keep_bound(path)
        except (OSError, ReidopsError) as error:
            log.warning("no sample is written: %s", error)

    def _place(self, camera: str, now: float, weights: str) -> Path:
        """Return the path of a sample; a camera's name can hold any characters, so that its digest names the folder."""
        folder = hashlib.sha256(camera.encode()).hexdigest()[:16]
        return self.settings.folder / weights[:12] / folder / f"{int(now * 1000):015d}{SUFFIX}"

    def _keep_bound(self, path: Path) -> None:
        """Delete the oldest samples beyond the bound; files are listed once, then only counted."""
        with self._lock:
            if self._sizes is None:
                found = self.settings.folder.glob(f"*/*/*{SUFFIX}")
                self._sizes = {file: file.stat().st_size for file in sorted(found, key=lambda file: file.name)}
            self._sizes[path] = path.stat().st_size
            while sum(self._sizes.values()) > self.settings.max_bytes:
                oldest = next(iter(self._sizes))
                del self._sizes[oldest]
                oldest.unlink(missing_ok=True)
