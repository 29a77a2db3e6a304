"""Train a network with losses, an optimizer and a learning rate curve that are given as settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from lightning_fabric import Fabric
from torch.optim import Optimizer

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.training.checkpoints import Checkpoints
from reidops.training.distillation import Distillation, Teacher
from reidops.training.freezing import Freezing
from reidops.training.keeping import TrainedWeights
from reidops.training.losses import BranchLosses, build_losses
from reidops.training.optimization import RateCurve, build_optimizer, build_schedule
from reidops.training.orthogonalization import iterate_in_precision_of
from reidops.training.training import EpochCallback, Loop, Trainer, TrainingData, steps_per_epoch


@dataclass(frozen=True)
class FitSettings:
    """The settings of a training.

    Attributes:
        losses: loss → weight, see `losses.build_losses`; the options of a loss by its name in `loss_options`.
        optimizer: name in timm; `head_factor` is the rate of all modules except the backbone, relative to it,
            `layer_decay` the factor from each layer of the backbone to the one before it.
        teacher_losses: loss → weight, see `Distillation`; used with a teacher.
        freeze: modules that are frozen for the first `freeze_epochs` epochs (0 = all epochs), see `Freezing`.
    """

    epochs: int
    losses: Mapping[str, float]
    learning_rate: float
    weight_decay: float
    curve: RateCurve
    loop: Loop
    optimizer: str = "adamw"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    loss_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    head_factor: float = 1.0
    layer_decay: float = 1.0
    freeze: Literal["backbone"] | tuple[str, ...] | None = None
    freeze_epochs: int = 0
    teacher_losses: Mapping[str, float] = field(default_factory=dict)


def fit_network(
    network: EmbeddingNetwork,
    data: TrainingData,
    settings: FitSettings,
    *,
    fabric: Fabric,
    checkpoints: Checkpoints,
    losses: BranchLosses | None = None,
    on_epoch: EpochCallback | None = None,
    teacher: Teacher | None = None,
) -> TrainedWeights:
    """Train the network, from the last checkpoint if there is one, and return the best weights.

    `on_epoch` is called after each epoch on rank 0. `losses` replace those of the settings. The network also learns the
    embeddings of `teacher`.

    Raises:
        ReidopsError: as `Trainer.fit`, or a setting is invalid.
    """
    frame_pool = data.pooling.pool if data.pooling else "mean"
    training_network = TrainingNetwork(network, data.num_classes, frames=data.frames, frame_pool=frame_pool)
    losses = _losses(network, data.num_people, settings, teacher) if losses is None else losses
    iterate_in_precision_of(fabric)
    optimizer = _optimizer(training_network, losses, settings)
    num_steps = steps_per_epoch(len(data.sampler), settings.loop.accumulate)
    schedule = build_schedule(optimizer, settings.curve, settings.epochs, num_steps)
    freezing = Freezing(training_network, settings.freeze, settings.freeze_epochs)
    trainer = Trainer(
        training_network,
        losses,
        optimizer,
        schedule,
        data,
        fabric=fabric,
        checkpoints=checkpoints,
        loop=settings.loop,
        freezing=freezing,
        on_epoch=on_epoch,
        teacher=teacher,
    )
    return trainer.fit(settings.epochs)


def _losses(network: EmbeddingNetwork, num_people: int, settings: FitSettings, teacher: Teacher | None) -> BranchLosses:
    """Return the losses of each branch of the network, and those between it and its teacher."""
    build = partial(build_losses, settings.losses, settings.loss_options, num_people=num_people, dim=network.branch_dim)
    distillation = Distillation(settings.teacher_losses, network.dim, teacher.dim) if teacher else None
    return BranchLosses([build() for _ in range(network.num_branches)], distillation)


def _optimizer(network: TrainingNetwork, losses: BranchLosses, settings: FitSettings) -> Optimizer:
    return build_optimizer(
        network,
        settings.optimizer,
        settings.learning_rate,
        settings.weight_decay,
        losses=losses,
        options=settings.optimizer_options,
        head_factor=settings.head_factor,
        layer_decay=settings.layer_decay,
    )
