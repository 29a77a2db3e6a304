"""Train a generator, first as the decoder of an autoencoder and then against a critic.

The random values of a step depend only on the seed and the step's number. So a killed training can be resumed, and on a
CPU the resumed training gives bit-identical weights.
"""

import logging
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from timm.utils import ModelEmaV3
from torch import Tensor
from tqdm import tqdm

from reidops.embedding.images import ImageBatches
from reidops.errors import ReidopsError
from reidops.generation.augmentation import augment
from reidops.generation.autoencoder import autoencoder_loss
from reidops.generation.losses import critic_loss, generator_loss, penalty
from reidops.generation.networks import Critic, Encoder, Generator
from reidops.generation.settings import GanSettings
from reidops.progress_bar import progress_bar
from reidops.training.checkpoints import Checkpoints
from reidops.training.interruptions import out_of_memory_errors, stop_request

log = logging.getLogger(__name__)

LEAST_DIVERSITY = 0.1
"""Diversity of generated crops, as a share of that of real ones, below which the generator has collapsed."""

_COLUMNS = ["epoch", "autoencoder", "critic", "generator", "score_real", "score_generated", "diversity"]
_GENERATOR, _CRITIC, _AUTOENCODER = range(3)  # places of the optimizers
_AUTOENCODER_RATE = 0.002  # learning rate of the autoencoder
_NUM_PROBES = 64  # crops that measure the diversity
_LOSSES = ("autoencoder", "critic", "generator")
_BATCH_STREAM, _LATENT_STREAM, _PROBE_STREAM = 1, 2, 3


@dataclass
class _Progress:
    """The state of a training besides the networks; checkpoints include all of it."""

    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


class AdversarialTraining:
    """Train a generator with `fit`.

    Args:
        images: the training crops, in the size of the settings.
        checkpoints: of this training.
        device: of torch.

    Raises:
        ReidopsError: there are fewer crops than a batch has.
    """

    def __init__(self, images: ImageBatches, settings: GanSettings, checkpoints: Checkpoints, device: str) -> None:
        if len(images) < settings.batch_size:
            raise ReidopsError(
                f"generate.batch_size is {settings.batch_size}, but there are {len(images)} training crops; lower it"
            )
        self._images, self._settings, self._checkpoints, self._device = images, settings, checkpoints, device
        torch.manual_seed(settings.seed)
        self._generator = Generator(settings.height, settings.latent_dim, settings.channels)
        self._critic = Critic(settings.height, settings.channels)
        self._encoder = Encoder(settings.height, settings.latent_dim, settings.channels)
        for network in (self._generator, self._critic, self._encoder):
            network.to(device)
        self._average = ModelEmaV3(self._generator, settings.ema, use_warmup=True) if settings.ema > 0 else None
        self._optimizers = [
            torch.optim.Adam(network.parameters(), settings.learning_rate, settings.betas)
            for network in (self._generator, self._critic)
        ]
        both = [*self._generator.parameters(), *self._encoder.parameters()]
        self._optimizers.append(torch.optim.Adam(both, _AUTOENCODER_RATE))
        self._steps_per_epoch = len(images) // settings.batch_size
        self._real_spread = self._measure_real_spread()
        self._progress = _Progress()

    def fit(self) -> tuple[Generator, pd.DataFrame]:
        """Train from the last checkpoint if there is one; return the (averaged) generator and a row per epoch.

        Raises:
            ReidopsError: a loss is not finite, the generator has collapsed, or the process received SIGTERM.
        """
        self._resume()
        progress, total = self._progress, self._settings.epochs * self._steps_per_epoch
        batch = self._settings.batch_size
        bar = progress_bar(
            total=total * batch, initial=progress.step * batch, desc="generate", unit="images", leave=True
        )
        remedy = "Lower generate.batch_size, generate.channels or generate.height"
        with bar, stop_request() as stop, out_of_memory_errors(f"batches of {batch} crops", remedy):
            while progress.step < total:
                self._train_epoch(bar, stop)
        return self._kept, pd.DataFrame(progress.history, columns=_COLUMNS).dropna(axis=1, how="all")

    @property
    def _kept(self) -> Generator:
        return self._generator if self._average is None else self._average.module

    def _train_epoch(self, bar: tqdm, stop: threading.Event) -> None:
        """Train the rest of the current epoch, add its row to the history and save a checkpoint."""
        epoch, num_done = divmod(self._progress.step, self._steps_per_epoch)
        train_step = self._train_autoencoder if epoch < self._settings.autoencoder_epochs else self._train_step
        for real in self._read_batches(epoch, num_done):
            train_step(real)
            bar.update(self._settings.batch_size)
            if stop.is_set():
                self._save()
                raise ReidopsError(
                    f"stopped by a signal after step {self._progress.step}; run the same command again to continue"
                )
        self._record_epoch(epoch + 1)
        self._save()

    def _read_batches(self, epoch: int, num_done: int) -> Iterator[Tensor]:
        """Yield the remaining batches of real crops of the epoch, in −1 … 1 [N, 3, H, W], half of them mirrored."""
        rng, batch = np.random.default_rng([self._settings.seed, epoch, _BATCH_STREAM]), self._settings.batch_size
        order, is_mirrored = rng.permutation(len(self._images)), rng.random(len(self._images)) < 0.5
        starts = range(num_done * batch, self._steps_per_epoch * batch, batch)
        for indices, images in self._images.stream(order[start : start + batch] for start in starts):
            crops = to_unit_range(images)
            mirrored = torch.from_numpy(is_mirrored[indices])[:, None, None, None]
            yield torch.where(mirrored, crops.flip(3), crops).to(self._device)

    def _train_autoencoder(self, real: Tensor) -> None:
        """Update encoder and generator."""
        draws = self._draws(self._progress.step, _LATENT_STREAM)
        loss = autoencoder_loss(self._encoder, self._generator, real, draws)
        self._update(_AUTOENCODER, loss)
        self._follow()
        self._count_step({"autoencoder": loss.detach()})

    def _train_step(self, real: Tensor) -> None:
        """Update the critic, and after every `critic_steps` of its steps the generator."""
        draws = self._draws(self._progress.step, _LATENT_STREAM)
        trains_generator = (self._progress.step + 1) % self._settings.critic_steps == 0
        with torch.set_grad_enabled(trains_generator):
            fake = self._generator(self._latents(len(real), draws))
        values = self._train_critic(augment(real, draws), augment(fake.detach(), draws), draws)
        if trains_generator:
            values["generator"] = self._train_generator(augment(fake, draws))
        self._count_step(values)

    def _train_critic(self, real: Tensor, fake: Tensor, draws: torch.Generator) -> dict[str, Tensor]:
        """Update the critic with augmented crops; return its loss without the penalty and its mean scores."""
        settings = self._settings
        scores_real, scores_fake = self._critic(torch.cat([real, fake])).chunk(2)
        loss = critic_loss(settings.loss, scores_real, scores_fake)
        extra = penalty(settings.loss, self._critic, real, fake, step=self._progress.step, generator=draws)
        self._update(_CRITIC, loss if extra is None else loss + settings.gradient_penalty * extra)
        values = {"critic": loss, "score_real": scores_real.mean(), "score_generated": scores_fake.mean()}
        return {name: value.detach() for name, value in values.items()}

    def _train_generator(self, fake: Tensor) -> Tensor:
        """Update the generator with the augmented crops that it gave, and its average; return its loss."""
        self._critic.requires_grad_(False)
        loss = generator_loss(self._settings.loss, self._critic(fake))
        self._update(_GENERATOR, loss)
        self._critic.requires_grad_(True)
        self._follow()
        return loss.detach()

    def _follow(self) -> None:
        if self._average is not None:
            self._average.update(self._generator, self._progress.step + 1)

    def _update(self, which: int, loss: Tensor) -> None:
        self._optimizers[which].zero_grad()
        loss.backward()
        self._optimizers[which].step()

    def _count_step(self, values: dict[str, Tensor]) -> None:
        """Count a step and add its values to the sums of the epoch.

        Raises:
            ReidopsError: a value is not finite.
        """
        self._progress.step += 1
        for name, value in zip(values, torch.stack(list(values.values())).tolist(), strict=True):
            if not math.isfinite(value):
                raise self._failure(f"{name} is {value}")
            self._progress.sums[name] = self._progress.sums.get(name, 0.0) + value

    def _record_epoch(self, epoch: int) -> None:
        """Add the epoch's row to the history.

        Raises:
            ReidopsError: a weight is not finite, or the generator has collapsed.
        """
        parameters = [*self._generator.parameters(), *self._critic.parameters(), *self._encoder.parameters()]
        if not torch.stack([torch.isfinite(values).all() for values in parameters]).all():
            raise self._failure("the weights are not finite")
        progress, every = self._progress, self._settings.critic_steps
        num_steps = {"generator": progress.step // every - (progress.step - self._steps_per_epoch) // every}
        row = {name: total / num_steps.get(name, self._steps_per_epoch) for name, total in progress.sums.items()}
        row = {"epoch": epoch, **row, "diversity": self._measure_diversity()}
        progress.sums = {}
        losses = ", ".join(f"{name} {row[name]:.3f}" for name in _LOSSES if name in row)
        log.info("epoch %d: %s, diversity %.2f of that of training crops", epoch, losses, row["diversity"])
        self._refuse_collapse(row)
        progress.history.append(row)

    def _refuse_collapse(self, row: dict[str, float]) -> None:
        """Raise if the diversity fell below the limit after it was above, or is below it at the end.

        A generator starts with crops that are all alike, so a low diversity in the first epochs is no collapse.
        """
        if row["diversity"] >= LEAST_DIVERSITY:
            return
        found = f"the diversity of its crops is {row['diversity']:.3f} of that of training crops, expected at least "
        if any(before["diversity"] >= LEAST_DIVERSITY for before in self._progress.history):
            raise self._failure(f"the generator has collapsed: {found}{LEAST_DIVERSITY}")
        if row["epoch"] == self._settings.epochs:
            raise ReidopsError(
                f"the generator has not learnt enough in {self._settings.epochs} epochs: {found}{LEAST_DIVERSITY}; "
                "increase generate.epochs or generate.learning_rate"
            )

    def _measure_diversity(self) -> float:
        """Return the standard deviation of generated crops over fixed latents ÷ that of training crops."""
        crops = draw_crops(self._kept, _NUM_PROBES, self._settings.seed, stream=_PROBE_STREAM)
        return _spread(crops) / self._real_spread

    def _measure_real_spread(self) -> float:
        chosen = np.random.default_rng([self._settings.seed, _PROBE_STREAM]).permutation(len(self._images))
        return max(_spread(self._images.batch(np.sort(chosen[: 4 * _NUM_PROBES]))), 1e-6)

    def _failure(self, what: str) -> ReidopsError:
        epoch, step = divmod(self._progress.step - 1, self._steps_per_epoch)
        return ReidopsError(
            f"{what} at step {step + 1} of epoch {epoch + 1}; lower generate.learning_rate, change generate.seed or "
            f"set generate.loss to wgan-gp with generate.critic_steps 5. The last checkpoint, if any, is kept in "
            f"{self._checkpoints.folder}"
        )

    def _draws(self, *place: int) -> torch.Generator:
        seed = np.random.SeedSequence([self._settings.seed, *place]).generate_state(1)[0]
        return torch.Generator().manual_seed(int(seed))

    def _latents(self, num: int, draws: torch.Generator) -> Tensor:
        return torch.randn(num, self._settings.latent_dim, generator=draws).to(self._device)

    def _save(self) -> None:
        self._checkpoints.save(
            {
                "generator": self._generator.state_dict(),
                "critic": self._critic.state_dict(),
                "encoder": self._encoder.state_dict(),
                "average": None if self._average is None else self._average.module.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
                "progress": dict(vars(self._progress)),
            }
        )

    def _resume(self) -> None:
        state = self._checkpoints.load()
        if state is None:
            return
        self._generator.load_state_dict(state["generator"])
        self._critic.load_state_dict(state["critic"])
        self._encoder.load_state_dict(state["encoder"])
        if self._average is not None:
            self._average.module.load_state_dict(state["average"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self._progress = _Progress(**state["progress"])
        log.info("continue after step %d, from %s", self._progress.step, self._checkpoints.folder)


def to_unit_range(images: np.ndarray) -> Tensor:
    """Return float32 in −1 … 1 [N, 3, H, W] of RGB uint8 images [N, H, W, 3]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def draw_crops(generator: Generator, num: int, seed: int, *, stream: int = 0, batch_size: int = 256) -> np.ndarray:
    """Return `num` generated crops, RGB uint8 [num, H, W, 3]; equal seeds and streams give equal crops."""
    state = np.random.SeedSequence([seed, stream]).generate_state(1)[0]
    latents = torch.randn(num, generator.latent_dim, generator=torch.Generator().manual_seed(int(state)))
    device, was_training = next(generator.parameters()).device, generator.training
    generator.eval()
    with torch.inference_mode():
        crops = torch.cat([generator(some.to(device)).cpu() for some in latents.split(batch_size)])
    generator.train(was_training)
    return ((crops + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def _spread(images: np.ndarray) -> float:
    """Return the mean standard deviation of each value over images [N, H, W, 3]."""
    return float(images.astype(np.float32).std(axis=0).mean())
