"""The training loop, on one process or on several (`ranks.py`).

What a step draws (people, crops, flips, dropout) depends on the seed and the step's number alone, so a training that
was killed goes on as if it had not been, and on a CPU ends in the same weights, bit for bit.
"""

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from timm.scheduler.scheduler import Scheduler
from torch import Tensor
from torch.optim import Optimizer
from tqdm import tqdm

from reidops.embedding.images import GrowingImages, ImageBatches, run_ahead
from reidops.embedding.network import TrainingNetwork
from reidops.errors import ReidopsError
from reidops.progress_bar import progress_bar
from reidops.training.augmentation import Augmentation
from reidops.training.checkpoints import Checkpoints
from reidops.training.freezing import Freezing
from reidops.training.interruptions import out_of_memory_told, stop_request
from reidops.training.keeping import Keeper, TrainedWeights
from reidops.training.losses import BranchLosses
from reidops.training.progress import Progress, told
from reidops.training.ranks import gather, is_true_anywhere, share_gradients, synchronise_norms
from reidops.training.sampling import IdentitySampler
from reidops.training.validation import HeldOut

log = logging.getLogger(__name__)

Follower = Callable[[int, dict[str, float]], None]
"""Is told each epoch's number and figures as soon as they are there."""


@dataclass(frozen=True)
class TrainingData:
    """Crops to learn from with their labels 0 … C − 1 [N], in what batches and how changed, and people to be judged on.

    The sampler yields this rank's share of each batch; only rank 0 needs held-out people.
    """

    images: GrowingImages
    labels: np.ndarray
    sampler: IdentitySampler
    augmentation: Augmentation
    held_out: HeldOut | None


@dataclass(frozen=True)
class Loop:
    """How the loop runs.

    Attributes:
        accumulate: batches whose mean gradient makes one step; mining stays within a batch. A last step of an epoch may
            have fewer.
        ema_decay: of the averaged weights that are judged and kept; 0 = the weights themselves.
        clip: largest norm of the gradient; 0 = no limit.
        val_every: epochs between two looks at the held-out people; the last epoch is always judged.
        compiled: let torch.compile translate the network first.
    """

    seed: int = 0
    accumulate: int = 1
    ema_decay: float = 0.0
    clip: float = 0.0
    val_every: int = 1
    compiled: bool = False


@dataclass(frozen=True)
class _Batch:
    """This rank's share of batch `number` (0-based, over all epochs), on the device: inputs [n, 3, H, W], labels
    [n].
    """

    number: int
    inputs: Tensor
    labels: Tensor


def steps_per_epoch(num_batches: int, accumulate: int) -> int:
    """Return the number of steps of the optimizer in an epoch of so many batches."""
    return -(-num_batches // accumulate)


class Trainer:
    """Train a network; `fit` does it all, on every rank alike. Rank 0 alone judges and saves.

    Args:
        optimizer: of the weights of `network`, and of `losses` where they have any.
        schedule: of timm, stepped by the optimizer's steps.
        follower: is told of each epoch, on rank 0.
    """

    def __init__(
        self,
        network: TrainingNetwork,
        losses: BranchLosses,
        optimizer: Optimizer,
        schedule: Scheduler,
        data: TrainingData,
        *,
        fabric: Fabric,
        checkpoints: Checkpoints,
        loop: Loop,
        freezing: Freezing | None = None,
        follower: Follower | None = None,
    ) -> None:
        self._data, self._schedule, self._loop, self._follower = data, schedule, loop, follower
        self._freezing = freezing
        self._fabric, self._checkpoints = fabric, checkpoints
        self._losses = losses.to(fabric.device)
        self._network = network.to(fabric.device, memory_format=torch.channels_last)
        synchronise_norms(self._network, fabric)
        self._keeper = Keeper(self._network, loop.ema_decay, data.held_out, fabric)
        compiled = torch.compile(self._network) if loop.compiled else self._network
        self._model, self._optimizer = fabric.setup(compiled, optimizer)
        self._batch_size = len(next(iter(data.sampler)))
        self._epoch_steps = steps_per_epoch(len(data.sampler), loop.accumulate)
        self._unchecked: dict[str, Tensor] = {}
        self._progress = Progress()

    def fit(self, epochs: int) -> TrainedWeights:
        """Train to the end, from the last checkpoint where there is one.

        Raises:
            ReidopsError: the loss is no number, memory is too small, the process was asked to stop (SIGTERM), or a crop
                cannot be read.
        """
        self._resume()
        num_batches, batch = len(self._data.sampler), self._batch_size * self._fabric.world_size
        done = min(self._progress.step * self._loop.accumulate, epochs * num_batches) * batch
        bar = progress_bar(
            total=epochs * num_batches * batch,
            initial=done,
            desc="train",
            unit="images",
            shown=self._fabric.is_global_zero,
            leave=True,
        )
        size = " × ".join(map(str, self._data.images.size))
        with (
            bar,
            stop_request() as stop,
            out_of_memory_told(f"batches of {self._batch_size} crops of {size} px a process"),
        ):
            while self._progress.step < epochs * self._epoch_steps:
                self._train_epoch(epochs, bar, stop)
        return self._keeper.choose(epochs, self._progress)

    def _train_epoch(self, epochs: int, bar: tqdm, stop: threading.Event) -> None:
        """Train the rest of the present epoch, judge, note, save."""
        sampler, progress = self._data.sampler, self._progress
        sampler.epoch, num_done = divmod(progress.step, self._epoch_steps)
        images = self._data.images.at(sampler.epoch / epochs)
        if self._freezing is not None:
            self._freezing.apply(sampler.epoch)
        started, num_images = time.perf_counter(), 0
        for batches in _grouped(self._read_batches(images, num_done * self._loop.accumulate), self._loop.accumulate):
            self._train_step(batches)
            num_images += self._tell(batches, bar)
            if is_true_anywhere(self._fabric, stop.is_set()):
                self._check_state()
                self._save()
                raise ReidopsError(
                    f"stopped by a signal after step {progress.step}; the same command goes on from there"
                )
        self._check_state()
        speed = num_images / (time.perf_counter() - started)
        self._note_epoch(
            sampler.epoch + 1,
            speed,
            judged=(sampler.epoch + 1) % self._loop.val_every == 0 or sampler.epoch + 1 == epochs,
        )
        self._save()

    def _read_batches(self, images: ImageBatches, num_done: int) -> Iterator[_Batch]:
        """Yield what is left of the epoch; for a GPU a thread augments and copies the next batches meanwhile."""
        sampler = self._data.sampler
        first = sampler.epoch * len(sampler) + num_done
        stream = images.stream(itertools.islice(sampler, num_done, None))
        batches = (self._augment(number, *batch) for number, batch in enumerate(stream, first))
        return batches if self._fabric.device.type == "cpu" else run_ahead(batches, 2)

    def _augment(self, number: int, indices: np.ndarray, images: np.ndarray) -> _Batch:
        """Change this rank's RGB uint8 images [n, H, W, 3] as on any rank: what changes is drawn for the batch as a
        whole.
        """
        generator = torch.Generator().manual_seed(self._draw_seed(number))
        inputs = self._data.augmentation(
            torch.from_numpy(images), generator, rank=self._fabric.global_rank, num_ranks=self._fabric.world_size
        )
        return _Batch(number, self._to_device(inputs), self._to_device(torch.from_numpy(self._data.labels[indices])))

    def _to_device(self, values: Tensor) -> Tensor:
        if self._fabric.device.type == "cuda":
            return values.pin_memory().to(self._fabric.device, non_blocking=True)
        return values.to(self._fabric.device)

    def _draw_seed(self, *place: int) -> int:
        return int(np.random.SeedSequence([self._loop.seed, *place]).generate_state(1)[0])

    def _train_step(self, batches: list[_Batch]) -> None:
        """Forward and backward for each batch, then one update by their mean gradient."""
        self._model.train()
        self._optimizer.zero_grad()
        totals: dict[str, Tensor] = {}
        for i, batch in enumerate(batches, 1):
            with self._fabric.no_backward_sync(self._model, enabled=i < len(batches)):
                for name, value in self._backward(batch, 1 / len(batches)).items():
                    totals[name] = totals[name] + value if name in totals else value
        share_gradients(self._fabric, self._losses)
        if self._loop.clip > 0:
            self._fabric.clip_gradients(self._model, self._optimizer, max_norm=self._loop.clip)
        self._optimizer.step()
        self._count_step(totals)

    def _backward(self, batch: _Batch, weight: float) -> dict[str, Tensor]:
        """Add the gradient of `weight` times a batch's loss, over all ranks' shares; return the losses, times
        `weight`.
        """
        # what dropout in a backbone draws from
        torch.manual_seed(self._draw_seed(batch.number, self._fabric.global_rank))
        features, logits, embeddings = (gather(self._fabric, values) for values in self._model(batch.inputs))
        loss, parts = self._losses(features, logits, gather(self._fabric, batch.labels), embeddings)
        # Ranks wait for every gradient: where no loss asks for the logits, the classifier's is told to be none.
        total = loss if self._fabric.world_size == 1 else loss + 0 * logits.sum()
        self._fabric.backward(weight * total)
        finite = torch.isfinite(features.detach()).all()
        shown = {
            "loss": torch.where(finite, loss.detach(), math.nan),
            **{f"loss_{name}": part for name, part in parts.items()},
        }
        return {name: weight * value for name, value in shown.items()}

    def _count_step(self, losses: dict[str, Tensor]) -> None:
        """Note a step that is done. Its loss is looked at after the next one: a GPU is never waited for."""
        self._check_last_step()
        self._unchecked = losses
        self._progress.step += 1
        self._schedule.step_update(self._progress.step)
        self._keeper.follow(self._progress.step)

    def _check_last_step(self) -> None:
        """Add the last step's losses to the epoch's sums.

        Raises:
            ReidopsError: the loss, or a feature, is no finite number.
        """
        losses, self._unchecked = {name: float(value) for name, value in self._unchecked.items()}, {}
        if not math.isfinite(losses.get("loss", 0)):
            raise self._broken(f"the loss is {losses['loss']}")
        for name, value in losses.items():
            self._progress.sums[name] = self._progress.sums.get(name, 0.0) + value

    def _check_state(self) -> None:
        """Find out whether the state is worth keeping: a step may have had a loss that is a number and a gradient that
        is none.

        Raises:
            ReidopsError: the last step's loss, or a weight after it, is no finite number.
        """
        self._check_last_step()
        if not torch.stack([torch.isfinite(parameter).all() for parameter in self._network.parameters()]).all():
            raise self._broken("the weights are no numbers")

    def _broken(self, what: str) -> ReidopsError:
        epoch, step = divmod(self._progress.step - 1, self._epoch_steps)
        return ReidopsError(
            f"{what} at step {step + 1} of epoch {epoch + 1} (step {self._progress.step} in all);"
            " lower train.learning_rate, raise train.warmup_epochs or set train.clip."
            f" The last good state, where one was saved, is kept in {self._checkpoints.folder}"
        )

    def _note_epoch(self, epoch: int, speed: float, *, judged: bool) -> None:
        """Add the epoch's row to the history; let the held-out people judge its weights, on rank 0."""
        progress = self._progress
        row = {"epoch": epoch, **{name: total / self._epoch_steps for name, total in progress.sums.items()}}
        row |= {"lr": self._optimizer.param_groups[0]["lr"], "val_mAP": math.nan, "val_rank1": math.nan}
        if judged and self._fabric.is_global_zero:
            row |= self._keeper.judge(epoch, progress)
        progress.history.append(row)
        progress.sums = {}
        log.info(told(row, speed))
        if self._follower is not None and self._fabric.is_global_zero:
            self._follower(epoch, row | {"images_per_second": speed})
        self._fabric.barrier()

    def _save(self) -> None:
        if not self._fabric.is_global_zero:
            return
        self._checkpoints.save(
            {
                "network": self._network.state_dict(),
                "losses": self._losses.state_dict(),
                "ema": self._keeper.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "precision": self._fabric.strategy.precision.state_dict(),
                "sampler": self._data.sampler.state_dict(),
                "progress": dict(vars(self._progress)),
            }
        )

    def _resume(self) -> None:
        """Take up the last state, which rank 0 reads for all: hosts need not share a disk."""
        state = self._fabric.broadcast(self._checkpoints.load() if self._fabric.is_global_zero else None)
        if state is None:
            return
        self._network.load_state_dict(state["network"])
        self._losses.load_state_dict(state["losses"])
        self._keeper.load_state_dict(state["ema"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        self._data.sampler.load_state_dict(state["sampler"])
        self._progress = Progress(**state["progress"])
        log.info("go on after step %d, from %s", self._progress.step, self._checkpoints.folder)

    def _tell(self, batches: list[_Batch], bar: tqdm) -> int:
        """Move the bar and return the number of images that all ranks trained on."""
        num_images = len(batches) * self._batch_size * self._fabric.world_size
        num_steps = (self._progress.step - 1) % self._epoch_steps  # whose losses are in the sums
        if num_steps:
            bar.set_postfix(loss=f"{self._progress.sums['loss'] / num_steps:.3f}", refresh=False)
        bar.update(num_images)
        return num_images


def _grouped(batches: Iterator[_Batch], num: int) -> Iterator[list[_Batch]]:
    while group := list(itertools.islice(batches, num)):
        yield group
