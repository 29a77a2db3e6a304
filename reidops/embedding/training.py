"""The training loop.

What a step draws (people, crops, flips, dropout) depends on the seed and the step's number alone, so a training that was
killed goes on as if it had not been, and on a CPU ends in the same weights, bit for bit.
"""

import itertools
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from timm.scheduler.scheduler import Scheduler
from timm.utils import ModelEmaV3
from torch import Tensor
from torch.optim import Optimizer
from tqdm import tqdm

from reidops.embedding.augmentation import Augmentation
from reidops.embedding.checkpoints import Checkpoints
from reidops.embedding.images import ImageBatches
from reidops.embedding.losses import WeightedLosses
from reidops.embedding.network import TrainingNetwork
from reidops.embedding.sampling import IdentitySampler
from reidops.embedding.validation import HeldOut
from reidops.errors import ReidopsError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Crops to learn from with their labels 0 … C − 1 [N], in what batches and how changed, and people to be judged on."""

    images: ImageBatches
    labels: np.ndarray
    sampler: IdentitySampler
    augmentation: Augmentation
    held_out: HeldOut | None


@dataclass(frozen=True)
class TrainedWeights:
    """The chosen weights of the embedding network, the epoch (1-based) they are from, and what happened by epoch."""

    weights: dict[str, Tensor]
    epoch: int
    history: pd.DataFrame


@dataclass
class _Progress:
    """What grows while training; all of it goes into a checkpoint."""

    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] | None = None


class Trainer:
    """Train a network; `fit` does it all.

    Args:
        schedule: of timm, stepped by update.
        ema_decay: of the averaged weights that are judged and kept; 0 = the weights themselves.
        clip: largest norm of the gradient; 0 = no limit.
        val_every: epochs between two looks at the held-out people; the last epoch is always judged.
    """

    def __init__(
        self, network: TrainingNetwork, losses: WeightedLosses, optimizer: Optimizer, schedule: Scheduler, data: TrainingData, *,
        fabric: Fabric, checkpoints: Checkpoints, seed: int, ema_decay: float = 0.0, clip: float = 0.0, val_every: int = 1,
    ) -> None:
        self._data, self._losses, self._schedule, self._val_every = data, losses, schedule, val_every
        self._fabric, self._checkpoints, self._seed, self._clip = fabric, checkpoints, seed, clip
        self._network = network.to(fabric.device, memory_format=torch.channels_last)
        self._ema = ModelEmaV3(self._network, decay=ema_decay, use_warmup=True) if ema_decay > 0 else None
        self._model, self._optimizer = fabric.setup(self._network, optimizer)
        self._progress = _Progress()

    def fit(self, epochs: int) -> TrainedWeights:
        """Train to the end, from the last checkpoint where there is one.

        Raises:
            ReidopsError: the loss is no number, the process was asked to stop (SIGTERM), or a crop cannot be read.
        """
        self._resume()
        num_steps = epochs * len(self._data.sampler)
        with tqdm(total=num_steps, initial=self._progress.step, desc="train", unit="step", disable=None) as bar, _stop_request() as stop:
            while self._progress.step < num_steps:
                self._train_epoch(epochs, bar, stop)
        return self._chosen(epochs)

    def _train_epoch(self, epochs: int, bar: tqdm, stop: threading.Event) -> None:
        """Train the rest of the present epoch, judge, note, save."""
        sampler, progress = self._data.sampler, self._progress
        sampler.epoch, num_done = divmod(progress.step, len(sampler))
        started, num_images = time.perf_counter(), 0
        for indices, images in self._data.images.stream(itertools.islice(sampler, num_done, None)):
            self._train_step(indices, images)
            num_images += len(indices)
            bar.update()
            bar.set_postfix(loss=f"{progress.sums['loss'] / ((progress.step - 1) % len(sampler) + 1):.3f}", refresh=False)
            if stop.is_set():
                self._save()
                raise ReidopsError(f"stopped by a signal after step {progress.step}; the same command goes on from there")
        speed = num_images / (time.perf_counter() - started)
        self._note_epoch(sampler.epoch + 1, speed, judged=(sampler.epoch + 1) % self._val_every == 0 or sampler.epoch + 1 == epochs)
        self._save()

    def _train_step(self, indices: np.ndarray, images: np.ndarray) -> None:
        """Forward, backward, update; `images` are RGB uint8 [B, H, W, 3]."""
        generator = self._seed_step()
        inputs = self._data.augmentation(torch.from_numpy(images), generator).to(self._fabric.device)
        labels = torch.from_numpy(self._data.labels[indices]).to(self._fabric.device)
        self._model.train()
        features, logits = self._model(inputs)
        loss, parts = self._losses(features, logits, labels)
        self._check_finite(loss.detach(), features.detach())
        self._optimizer.zero_grad()
        self._fabric.backward(loss)
        if self._clip > 0:
            self._fabric.clip_gradients(self._model, self._optimizer, max_norm=self._clip)
        self._optimizer.step()
        self._count_step({"loss": loss.detach(), **{f"loss_{name}": part for name, part in parts.items()}})

    def _seed_step(self) -> torch.Generator:
        """Seed this step: the augmentation's own generator, and torch's, which dropout in a backbone draws from."""
        seed = int(np.random.SeedSequence([self._seed, self._progress.step]).generate_state(1)[0])
        torch.manual_seed(seed)
        return torch.Generator().manual_seed(seed)

    def _count_step(self, losses: dict[str, Tensor]) -> None:
        progress = self._progress
        progress.step += 1
        for name, value in losses.items():
            progress.sums[name] = progress.sums.get(name, 0.0) + float(value)
        self._schedule.step_update(progress.step)
        if self._ema is not None:
            self._ema.update(self._network, progress.step)

    def _check_finite(self, loss: Tensor, features: Tensor) -> None:
        if math.isfinite(float(loss)) and bool(torch.isfinite(features).all()):
            return
        epoch, step = divmod(self._progress.step, len(self._data.sampler))
        raise ReidopsError(
            f"the loss is {float(loss)} at step {step + 1} of epoch {epoch + 1} (step {self._progress.step + 1} in all);"
            f" lower train.learning_rate, raise train.warmup_epochs or set train.clip. The last good state is kept in {self._checkpoints.folder}"
        )

    def _note_epoch(self, epoch: int, speed: float, *, judged: bool) -> None:
        """Add the epoch's row to the history; keep its weights when they are the best on the held-out people."""
        progress, num_steps = self._progress, len(self._data.sampler)
        row = {"epoch": epoch, **{name: total / num_steps for name, total in progress.sums.items()}}
        row |= {"lr": self._optimizer.param_groups[0]["lr"], "images_per_second": round(speed, 1), "val_mAP": math.nan, "val_rank1": math.nan}
        if judged and self._data.held_out is not None:
            scores = self._data.held_out.score(self._embed(self._data.held_out.images))
            row |= {"val_mAP": scores.mAP, "val_rank1": scores.rank1}
            if progress.best is None or scores.mAP > progress.best["mAP"]:
                progress.best = {"mAP": scores.mAP, "epoch": epoch, "weights": self._kept_weights()}
        progress.history.append(row)
        progress.sums = {}
        log.info(_told(row))

    def _embed(self, images: np.ndarray, batch_size: int = 128) -> np.ndarray:
        """Return unit embeddings, float32 [N, dim], of RGB uint8 images [N, H, W, 3] by the weights that are to be kept."""
        network = self._kept_network().embedding.eval()
        with torch.inference_mode(), self._fabric.autocast():
            batches = [network(torch.from_numpy(b).to(self._fabric.device)).cpu() for b in _batches(images, batch_size)]
        return torch.cat(batches).numpy()

    def _kept_network(self) -> TrainingNetwork:
        return self._ema.module if self._ema is not None else self._network

    def _kept_weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self._kept_network().embedding.state_dict().items()}

    def _chosen(self, epochs: int) -> TrainedWeights:
        best, history = self._progress.best, pd.DataFrame(self._progress.history)
        if best is None:
            log.info("no held-out people: the weights of the last epoch are kept, unjudged")
            return TrainedWeights(self._kept_weights(), epochs, history)
        log.info("kept epoch %d: held-out mAP %.3f", best["epoch"], best["mAP"])
        return TrainedWeights(best["weights"], best["epoch"], history)

    def _save(self) -> None:
        self._checkpoints.save({
            "network": self._network.state_dict(),
            "ema": self._ema.module.state_dict() if self._ema is not None else None,
            "optimizer": self._optimizer.state_dict(),
            "sampler": self._data.sampler.state_dict(),
            "progress": dict(vars(self._progress)),
        })  # fmt: skip

    def _resume(self) -> None:
        state = self._checkpoints.load()
        if state is None:
            return
        self._network.load_state_dict(state["network"])
        if self._ema is not None:
            self._ema.module.load_state_dict(state["ema"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._data.sampler.load_state_dict(state["sampler"])
        self._progress = _Progress(**state["progress"])
        log.info("go on after step %d, from %s", self._progress.step, self._checkpoints.folder)


def _batches(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (images[i : i + size] for i in range(0, len(images), size))


def _told(row: dict[str, float]) -> str:
    judged = "" if math.isnan(row["val_mAP"]) else f", held-out mAP {row['val_mAP']:.3f}, rank1 {row['val_rank1']:.3f}"
    return f"epoch {row['epoch']}: loss {row['loss']:.3f}, {row['images_per_second']:.0f} images/s{judged}"


@contextmanager
def _stop_request() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM sets, so that a step is never cut in two; signals reach only the main thread."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
