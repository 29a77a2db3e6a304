"""Run the training loop, on one process or several (`ranks.py`).

The random values of a step (people, crops, flips, dropout) depend only on the seed and the step's number. So a killed
training can be resumed, and on a CPU the resumed training gives bit-identical weights.
"""

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

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
from reidops.training.distillation import Teacher
from reidops.training.freezing import Freezing
from reidops.training.generated import GeneratedCrops, generated_loss, split_generated
from reidops.training.interruptions import out_of_memory_errors, stop_request
from reidops.training.keeping import Keeper, TrainedWeights
from reidops.training.losses import BranchLosses
from reidops.training.progress import Progress, describe_epoch
from reidops.training.ranks import gather, is_true_anywhere, share_gradients, synchronise_norms
from reidops.training.recomputation import kept_statistics, recomputed_activations
from reidops.training.sampling import IdentitySampler
from reidops.training.slow_convolutions import slow_convolutions_in_float32, slow_modules_in_float32
from reidops.training.tracklet_sampling import TrackletPooling, TrackletSampler
from reidops.training.validation import HeldOut

log = logging.getLogger(__name__)

_LESS_MEMORY = {
    "train": "Lower train.people_per_batch (train.accumulate sums the gradients of several batches), train.height and "
    "train.width, set train.checkpoint_activations to true, or train.precision to bf16-mixed if the GPU or CPU "
    "supports it",
    "adapt": "Lower adapt.people_per_batch or adapt.crops_per_person, set adapt.checkpoint_activations to true, or "
    "adapt.precision to bf16-mixed if the GPU or CPU supports it",
}
_CALMER = {
    "train": "lower train.learning_rate, raise train.warmup_epochs or set train.clip",
    "adapt": "lower adapt.learning_rate or raise adapt.warmup_steps",
}

EpochCallback = Callable[[int, Mapping[str, float]], None]
"""A function that is called after each epoch with its number and its figures."""


@dataclass(frozen=True)
class TrainingData:
    """The training crops with labels 0 … C − 1 [N], their sampler and augmentation, and the held-out people.

    `cameras` are the cameras 0 … num_cameras − 1 [N] of the crops, for a camera embedding; None = not used. The sampler
    yields this rank's share of each batch; only rank 0 needs held-out people. Generated crops are added to each batch.
    With `pooling` each `pooling.frames` successive crops of a batch are a tracklet, and the losses see tracklets.
    """

    images: GrowingImages
    labels: np.ndarray
    sampler: IdentitySampler | TrackletSampler
    augmentation: Augmentation
    held_out: HeldOut | None
    generated: GeneratedCrops | None = None
    cameras: np.ndarray | None = None
    pooling: TrackletPooling | None = None

    @property
    def frames(self) -> int:
        """Return the number of successive crops with one label: those of a tracklet, or 1."""
        return self.pooling.frames if self.pooling else 1

    @property
    def num_people(self) -> int:
        """Return the number of people, C."""
        return int(self.labels.max()) + 1

    @property
    def num_classes(self) -> int:
        """Return the number of classes of the classifier: C, and one for generated crops that are a class."""
        has_extra = self.generated is not None and self.generated.mode == "extra-class"
        return self.num_people + has_extra


@dataclass(frozen=True)
class Loop:
    """Settings of the training loop.

    Attributes:
        accumulate: number of batches whose mean gradient is used for one step; mining is within a batch. The last step
            of an epoch may have fewer.
        ema_decay: decay of the averaged weights, which are scored and kept; 0 = use the raw weights.
        clip: largest norm of the gradient; 0 = no limit.
        val_every: epochs between two evaluations on held-out people; the last epoch is always evaluated.
        compiled: compile the network with torch.compile.
        recomputes: recompute the activations of the backbone's blocks in the backward pass, see `recomputation.py`.
        sync_norms: batch normalization over the crops of all ranks; false = of each rank.
        section: the section of params.yaml with these settings, for messages.
    """

    seed: int = 0
    accumulate: int = 1
    ema_decay: float = 0.0
    clip: float = 0.0
    val_every: int = 1
    compiled: bool = False
    recomputes: bool = False
    sync_norms: bool = True
    section: Literal["train", "adapt"] = "train"


class Divergence(ReidopsError):
    """The loss, a feature or a weight of a training is not finite."""


@dataclass(frozen=True)
class _Batch:
    """This rank's share of batch `number` (0-based, over all epochs): inputs [n, 3, H, W], labels and cameras [n].

    Inputs of generated crops follow the others and have no label. A tracklet has one label.
    """

    number: int
    inputs: Tensor
    labels: Tensor
    cameras: Tensor | None


def steps_per_epoch(num_batches: int, accumulate: int) -> int:
    """Return the number of optimizer steps in an epoch of `num_batches` batches."""
    return -(-num_batches // accumulate)


class Trainer:
    """Train a network with `fit`, which every rank calls; only rank 0 evaluates and saves.

    Args:
        optimizer: optimizer of the weights of `network` and `losses`.
        schedule: a schedule of timm that is updated after every optimizer step.
        on_epoch: called after each epoch on rank 0.
        teacher: embeds the batches for `losses.distillation`; None = no distillation.
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
        on_epoch: EpochCallback | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self._teacher = teacher.to(fabric.device) if teacher else None
        self._data, self._schedule, self._loop, self._on_epoch = data, schedule, loop, on_epoch
        self._freezing = freezing
        self._fabric, self._checkpoints = fabric, checkpoints
        self._losses = losses.to(fabric.device)
        self._cross_entropy_weight = losses.branches[0].weights.get("cross-entropy", 0.0)
        self._network = network.to(fabric.device, memory_format=torch.channels_last)
        if loop.sync_norms:
            synchronise_norms(self._network, fabric)
        self._keeper = Keeper(self._network, loop.ema_decay, data.held_out, fabric)
        compiled = torch.compile(self._network) if loop.compiled else self._network
        self._model, self._optimizer = fabric.setup(compiled, optimizer)
        self._batch_size = len(next(iter(data.sampler)))
        self._epoch_steps = steps_per_epoch(len(data.sampler), loop.accumulate)
        self._unchecked: dict[str, Tensor] = {}
        self._progress = Progress()

    def fit(self, epochs: int) -> TrainedWeights:
        """Train for `epochs` epochs, from the last checkpoint if there is one, and return the best weights.

        Raises:
            ReidopsError: the loss is not finite, memory is too small, the process received SIGTERM, or a crop cannot be
                read.
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
            self._recomputed_activations(),
            stop_request() as stop,
            out_of_memory_errors(
                f"batches of {self._batch_size} crops of {size} px per process", _LESS_MEMORY[self._loop.section]
            ),
        ):
            while self._progress.step < epochs * self._epoch_steps:
                self._train_epoch(epochs, bar, stop)
        return self._keeper.choose(epochs, self._progress)

    def _train_epoch(self, epochs: int, bar: tqdm, stop: threading.Event) -> None:
        """Train the rest of the current epoch, evaluate it, add it to the history and save a checkpoint."""
        sampler, progress = self._data.sampler, self._progress
        sampler.epoch, num_done = divmod(progress.step, self._epoch_steps)
        images = self._data.images.at(sampler.epoch / epochs)
        if self._freezing is not None:
            self._freezing.apply(sampler.epoch)
        started, num_images = time.perf_counter(), 0
        for batches in _grouped(self._read_batches(images, num_done * self._loop.accumulate), self._loop.accumulate):
            self._train_step(batches)
            num_images += self._update_bar(batches, bar)
            if is_true_anywhere(self._fabric, stop.is_set()):
                self._check_state()
                self._save()
                raise ReidopsError(
                    f"stopped by a signal after step {progress.step}; run the same command again to continue"
                )
        self._check_state()
        speed = num_images / (time.perf_counter() - started)
        self._record_epoch(
            sampler.epoch + 1,
            speed,
            evaluated=(sampler.epoch + 1) % self._loop.val_every == 0 or sampler.epoch + 1 == epochs,
        )
        self._save()

    def _read_batches(self, images: ImageBatches, num_done: int) -> Iterator[_Batch]:
        """Yield the remaining batches of the epoch; for a GPU a thread prepares the next batches in advance."""
        sampler = self._data.sampler
        first = sampler.epoch * len(sampler) + num_done
        stream = images.stream(itertools.islice(sampler, num_done, None))
        batches = (self._augment(number, *batch) for number, batch in enumerate(stream, first))
        return batches if self._fabric.device.type == "cpu" else run_ahead(batches, 2)

    def _augment(self, number: int, indices: np.ndarray, images: np.ndarray) -> _Batch:
        """Augment this rank's RGB uint8 images [n, H, W, 3] and add generated ones."""
        inputs = self._change(images, number)
        if self._data.generated is not None:
            extra = self._data.generated.batch(number, *images.shape[1:3])
            inputs = torch.cat([inputs, self._change(extra, number, self._fabric.world_size)])
        labels, cameras = self._data.labels[indices[:: self._data.frames]], self._data.cameras
        own_cameras = None if cameras is None else self._to_device(torch.from_numpy(cameras[indices]))
        return _Batch(number, self._to_device(inputs), self._to_device(torch.from_numpy(labels)), own_cameras)

    def _change(self, images: np.ndarray, *place: int) -> Tensor:
        """Return the augmented inputs; random values are drawn for the whole batch, by its place in the training."""
        generator = torch.Generator().manual_seed(self._draw_seed(*place))
        return self._data.augmentation(
            torch.from_numpy(images), generator, rank=self._fabric.global_rank, num_ranks=self._fabric.world_size
        )

    def _to_device(self, values: Tensor) -> Tensor:
        if self._fabric.device.type == "cuda":
            return values.pin_memory().to(self._fabric.device, non_blocking=True)
        return values.to(self._fabric.device)

    def _draw_seed(self, *place: int) -> int:
        return int(np.random.SeedSequence([self._loop.seed, *place]).generate_state(1)[0])

    def _train_step(self, batches: list[_Batch]) -> None:
        """Compute the gradient of each batch and update the weights with the mean gradient."""
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
        """Add the gradient of `weight` times the loss of a batch of all ranks; return the losses times `weight`."""
        # Dropout in a backbone draws from this generator.
        torch.manual_seed(self._draw_seed(batch.number, self._fabric.global_rank))
        with slow_convolutions_in_float32(self._fabric):
            outputs = self._model(batch.inputs, batch.cameras)
        features, logits, embeddings = (gather(self._fabric, values) for values in outputs)
        loss, values = self._compute_losses(features, logits, gather(self._fabric, batch.labels), embeddings)
        if self._teacher is not None:
            taught = gather(self._fabric, self._teacher.embed(batch.inputs, self._data.frames))
            joined = self._network.embedding.join_branches(embeddings)
            distilled, more = self._losses.distillation(joined, taught)
            loss, values = loss + distilled, values | more
        # DDP waits for the gradient of every parameter. If no loss uses the logits, this makes the classifier's zero.
        total = loss if self._fabric.world_size == 1 else loss + 0 * logits.sum()
        self._propagate(weight * total)
        finite = torch.isfinite(features.detach()).all()
        shown = {
            "loss": torch.where(finite, loss.detach(), math.nan),
            **{f"loss_{name}": value for name, value in values.items()},
        }
        return {name: weight * value for name, value in shown.items()}

    def _propagate(self, loss: Tensor) -> None:
        """Compute the gradients of the loss; activations are recomputed as they were computed."""
        if not self._loop.recomputes:
            self._fabric.backward(loss)
            return
        with kept_statistics(self._network), slow_modules_in_float32(self._network, self._fabric):
            self._fabric.backward(loss)

    def _recomputed_activations(self) -> AbstractContextManager[None]:
        if not self._loop.recomputes:
            return nullcontext()
        return recomputed_activations(self._network.embedding, f"{self._loop.section}.checkpoint_activations")

    def _compute_losses(
        self, features: Tensor, logits: Tensor, labels: Tensor, embeddings: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss and its parts; a generated crop has the weight of a real one in the cross-entropy."""
        generated = self._data.generated
        if generated is None:
            return self._losses(features, logits, labels, embeddings)
        (features, _), (logits, extra), (embeddings, _) = (
            split_generated(values, generated.num_own, self._fabric.world_size)
            for values in (features, logits, embeddings)
        )
        loss, values = self._losses(features, logits, labels, embeddings)
        own_loss = generated_loss(extra, generated.mode)
        weight = self._cross_entropy_weight * len(extra) / len(labels)
        return loss + weight * own_loss, values | {"generated": own_loss.detach()}

    def _count_step(self, losses: dict[str, Tensor]) -> None:
        """Count a completed step; its loss is checked after the next step, to avoid waiting for a GPU."""
        self._check_last_step()
        self._unchecked = losses
        self._progress.step += 1
        self._schedule.step_update(self._progress.step)
        self._keeper.follow(self._progress.step)

    def _check_last_step(self) -> None:
        """Add the last step's losses to the epoch's sums.

        Raises:
            Divergence: the loss or a feature is not finite.
        """
        losses, self._unchecked = {name: float(value) for name, value in self._unchecked.items()}, {}
        if not math.isfinite(losses.get("loss", 0)):
            raise self._divergence_error(f"the loss is {losses['loss']}")
        for name, value in losses.items():
            self._progress.sums[name] = self._progress.sums.get(name, 0.0) + value

    def _check_state(self) -> None:
        """Check that the state is finite; a step with a finite loss may have had a gradient that is not.

        Raises:
            Divergence: the last step's loss or a weight is not finite.
        """
        self._check_last_step()
        if not torch.stack([torch.isfinite(parameter).all() for parameter in self._network.parameters()]).all():
            raise self._divergence_error("the weights are not finite")

    def _divergence_error(self, what: str) -> Divergence:
        epoch, step = divmod(self._progress.step - 1, self._epoch_steps)
        return Divergence(
            f"{what} at step {step + 1} of epoch {epoch + 1} (step {self._progress.step} in total);"
            f" {_CALMER[self._loop.section]}."
            f" The last valid checkpoint, if any, is kept in {self._checkpoints.folder}"
        )

    def _record_epoch(self, epoch: int, speed: float, *, evaluated: bool) -> None:
        """Add the epoch's row to the history; if `evaluated`, score its weights on held-out people, on rank 0."""
        progress = self._progress
        row = {"epoch": epoch, **{name: total / self._epoch_steps for name, total in progress.sums.items()}}
        row |= {"lr": self._optimizer.param_groups[0]["lr"], "val_mAP": math.nan, "val_rank1": math.nan}
        if evaluated and self._fabric.is_global_zero:
            row |= self._keeper.evaluate(epoch, progress)
        progress.history.append(row)
        progress.sums = {}
        log.info(describe_epoch(row, speed))
        if self._on_epoch is not None and self._fabric.is_global_zero:
            self._on_epoch(epoch, row | {"images_per_second": speed})
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
        """Restore the last state; rank 0 reads it for all ranks, because hosts may not share a disk."""
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
        log.info("continue after step %d, from %s", self._progress.step, self._checkpoints.folder)
        self._set_rate()

    def _set_rate(self) -> None:
        """Set the learning rate of the schedule; a longer training has another one than at the end of the shorter."""
        before = self._optimizer.param_groups[0]["lr"]
        self._schedule.step_update(self._progress.step)
        rate = self._optimizer.param_groups[0]["lr"]
        if not math.isclose(before, rate, rel_tol=1e-6):
            log.warning(
                "the learning rate was %.3g and is now %.3g, by the schedule of the longer training; set "
                "train.learning_rate or train.final_share for another one",
                before,
                rate,
            )

    def _update_bar(self, batches: list[_Batch], bar: tqdm) -> int:
        """Update the progress bar and return the number of images of all ranks."""
        num_images = len(batches) * self._batch_size * self._fabric.world_size
        num_steps = (self._progress.step - 1) % self._epoch_steps  # steps whose losses are in the sums
        if num_steps:
            bar.set_postfix(loss=f"{self._progress.sums['loss'] / num_steps:.3f}", refresh=False)
        bar.update(num_images)
        return num_images


def _grouped(batches: Iterator[_Batch], num: int) -> Iterator[list[_Batch]]:
    while group := list(itertools.islice(batches, num)):
        yield group
