"""Train the embedder on the training people, choose its checkpoint on the held-out ones.

Reads:  data/crops (crops.tar, crops.parquet), data/validation/report.json
Writes: data/model/ model.safetensors, embedder.json, history.csv, curves.png
        data/checkpoints/ while it runs: a run that was killed goes on from there
        a run in MLflow with live curves, where train.track names an experiment

On several GPUs or hosts: train.processes, or `torchrun --nproc-per-node=2 -m stages.train --crops data/crops …` on each
host.
"""

import dataclasses
import logging
import os
import shutil
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from reidops.errors import ReidopsError
from reidops.files import read_json, repository_path, repository_root, sha256, whole_file, whole_folder
from reidops.params import params_dataclass
from reidops.tables import CROPS, read_table
from stages import run_stage

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from reidops.datasets.origin import Origin
    from reidops.embedding.network import EmbeddingNetwork
    from reidops.registry.live_run import LiveRun
    from reidops.training.checkpoints import Checkpoints
    from reidops.training.keeping import TrainedWeights
    from reidops.training.training import TrainingData

log = logging.getLogger(__name__)

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
ELSEWHERE = ("processes", "track")  # params that say where a training runs and who watches it: it is the same training


@params_dataclass
class TrainParams:
    """Network, batches, losses, augmentation and schedule."""

    # a name of timm, of OSNet's variants (osnet_x1_0 …) or of ResNet-IBN-a's (resnet50_ibn_a …)
    backbone: str = "resnet10t"
    pretrained: bool = False  # published weights (ImageNet) that timm knows of; needs the network once
    weights: str | None = None  # file to start from instead: safetensors or a torch state dict; null = random
    height: Positive = 96  # px, of the network's input
    width: Positive = 48  # px
    # [share, height, width]: smaller images until that share of the epochs
    early_sizes: tuple[tuple[Share, Positive, Positive], ...] = ()
    embedding_dim: Annotated[int, Field(ge=0)] = 0  # width of a projection, of each part; 0 = the backbone's own
    parts: Annotated[int, Field(ge=0)] = 0  # horizontal stripes that are embedded beside the whole
    pooling: Literal["avg", "max", "avgmax", "gem"] = "avg"
    last_stride: Literal[1, 2] = 1  # 1 = twice the last map's height and width
    freeze: Literal["backbone"] | tuple[str, ...] | None = None  # the backbone, or all but these modules, do not learn
    freeze_epochs: Annotated[int, Field(ge=0)] = 0  # that `freeze` holds for, from the first; 0 = to the end
    people_per_batch: Positive = 16  # P
    crops_per_person: Positive = 4  # K; the batch is P × K
    prefer_cameras: bool = True  # a person's K crops come from several cameras, where there are several
    # batches whose mean gradient makes one step of the optimizer; losses compare crops of one batch
    accumulate: Positive = 1
    epochs: Annotated[int, Field(ge=0)] = 12  # 0 = keep the loaded weights as they are
    optimizer: str = "adamw"  # a name of timm: adamw, adam, sgd, …
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: NotNegative = 5e-4
    # amsgrad, betas, eps, momentum, …
    optimizer_options: dict[str, bool | float | list[float]] = field(default_factory=dict)
    head_factor: Annotated[float, Field(gt=0)] = 1.0  # learning rate of all but the backbone, as a multiple
    schedule: Literal["cosine", "step"] = "cosine"
    warmup_epochs: NotNegative = 2  # a fraction, too
    warmup_steps: Annotated[int, Field(ge=0)] | None = None  # updates, in place of warmup_epochs
    flat_epochs: NotNegative = 0  # cosine: epochs, warm-up included, before the rate falls; 0 = it falls from the start
    final_share: Share = 0.001  # cosine: of the learning rate, at the end
    milestones: tuple[NotNegative, ...] = ()  # step: epochs at which the rate changes
    step_factor: Annotated[float, Field(gt=0)] = 0.1  # step: what the rate is multiplied by
    # loss → weight
    losses: dict[str, NotNegative] = field(default_factory=lambda: {"cross-entropy": 1.0, "triplet": 1.0})
    # loss → options; the rest by losses.py
    loss_options: dict[str, dict[str, float | str]] = field(default_factory=dict)
    flip: Share = 0.5  # probability
    pad: Share = 0.04  # largest shift, as a share of the height
    erasing: Share = 0.3  # probability
    jitter: Share = 0.2  # largest relative change of brightness
    contrast: Share = 0.0  # largest relative change
    saturation: Share = 0.0  # largest relative change
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0  # largest turn, as a share of the colour circle
    grey: Share = 0.0  # probability that an image turns grey
    local_grey: Share = 0.0  # probability that a rectangle of it does
    auto_augment: str | None = None  # a policy of timm: rand-m7-n2, original, …; null = none
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.99  # decay of the averaged weights; 0 = none
    # auto = the fastest that this machine computes in
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    compile: bool = False  # let torch.compile translate the network first: minutes at the start, faster steps on a GPU
    clip: NotNegative = 0.0  # largest norm of the gradient; 0 = no limit
    val_every: Positive = 2  # epochs between two looks at the held-out people
    # held-out people who choose the checkpoint; half = the others alone fit the gate
    checkpoint_people: Literal["all", "half"] = "all"
    # on this host, each with its GPU or its share of the cores; the batch is shared; torchrun overrides it
    processes: Positive = 1
    track: str | None = "reidops"  # MLflow experiment that shows the curves while it trains; null = none
    threads: Positive | None = None  # of torch; null = one per core; the weights depend on it in the last bits
    seed: Annotated[int, Field(ge=0)] = 0


def train(crops: Path, validation: Path, model: Path, params: TrainParams) -> None:
    """Train on `crops` into `model`."""
    from reidops.datasets.origin import check_start, origin_of_start
    from reidops.training.checkpoints import Checkpoints
    from reidops.training.precision import choose_precision
    from reidops.training.ranks import check_equal_on_all_ranks, launched

    _check_report(validation / "report.json")
    _check_names(params)
    table = read_table(crops / "crops.parquet", CROPS)
    # With parts the layers that some backbones have behind their pooling (OSNet) are idle.
    idle_weights = params.freeze is not None or params.parts > 0
    network = _build_network(params)
    start = origin_of_start(repository_path(params.weights) if params.weights else None, pretrained=params.pretrained)
    check_start(start, table)
    wanted, params = (
        params.precision,
        dataclasses.replace(params, precision=choose_precision(params.precision, network)),
    )
    with launched(params.processes, params.precision, idle_weights=idle_weights) as fabric:
        check_equal_on_all_ranks(fabric, params.precision, "train.precision", "name one precision in place of auto")
        _log_precision(wanted, params.precision, fabric)
        checkpoints = Checkpoints(repository_root() / "data" / "checkpoints", _identity(crops, params))
        if fabric.is_global_zero:
            checkpoints.prune()
        with _watch(checkpoints, fabric, params) as live:
            if params.epochs:
                data = _read_data(table, crops / "crops.tar", network, fabric, params)
                trained = _fit(network, data, checkpoints, params, fabric=fabric, live=live)
            else:
                trained = _untrained(network)
            if fabric.is_global_zero:
                _write(network, trained, table, model, params, start)
                checkpoints.delete()
                if live:
                    live.name_weights(sha256(model / "model.safetensors"))
    if params.epochs:
        log.info(
            "trained %s for %d epochs; the weights of epoch %d are kept", params.backbone, params.epochs, trained.epoch
        )
    else:
        log.info("kept the weights of %s as they were loaded", params.backbone)


def _log_precision(wanted: str, chosen: str, fabric: "Fabric") -> None:
    """Log the precision; warn where bf16 was asked for on a CPU that does not compute in it."""
    from reidops.training.precision import cpu_computes_in_bf16, measure_bf16_slowdown

    reason = "chosen by train.precision: auto" if wanted == "auto" else "set by train.precision"
    log.info("precision %s on %s (%s)", chosen, fabric.device.type, reason)
    if chosen == "bf16-mixed" and fabric.device.type == "cpu" and fabric.is_global_zero and not cpu_computes_in_bf16():
        log.warning(
            "train.precision is bf16-mixed, but this CPU has no bf16 instructions: a convolution takes %.1f times as "
            "long as in float32"
            " here; set train.precision to auto or 32-true",
            measure_bf16_slowdown(),
        )


def _identity(crops: Path, params: TrainParams) -> dict[str, Any]:
    """Return what makes two trainings the same one, of which the second goes on where the first broke off."""
    start = {"weights": sha256(repository_path(params.weights))} if params.weights else {}
    return {
        "params": _lasting(params),
        "tar": sha256(crops / "crops.tar"),
        "table": sha256(crops / "crops.parquet"),
        **start,
    }


def _lasting(params: TrainParams) -> dict[str, Any]:
    return {name: value for name, value in vars(params).items() if name not in ELSEWHERE}


def _watch(
    checkpoints: "Checkpoints", fabric: "Fabric", params: TrainParams
) -> "AbstractContextManager[LiveRun | None]":
    """Open the training's run in MLflow, on one rank."""
    if not params.track or not params.epochs or not fabric.is_global_zero:
        return nullcontext()
    from reidops.registry.live_run import live_run

    digest = checkpoints.folder.name
    name = f"train-{params.backbone} {params.height}x{params.width} ({digest[:8]})"
    return live_run(params.track, name, digest, _lasting(params))


def _check_report(path: Path) -> None:
    report = read_json(path)
    if not report["passed"]:
        raise ReidopsError(f"{path}: the data did not pass validation: {'; '.join(map(str, report['errors']))}")


def _check_names(params: TrainParams) -> None:
    """Refuse unknown backbones, losses, optimisers and policies before hours of data are read."""
    from reidops.embedding.network import check_backbone
    from reidops.training.auto_augment import check_policy
    from reidops.training.losses import check_losses
    from reidops.training.optimization import check_optimizer

    batch = {"people_per_batch": params.people_per_batch, "crops_per_person": params.crops_per_person}
    check_losses(params.losses, params.loss_options, **batch)
    check_backbone(params.backbone)
    check_optimizer(params.optimizer, params.optimizer_options)
    if params.auto_augment:
        check_policy(params.auto_augment)


def _build_network(params: TrainParams) -> "EmbeddingNetwork":
    import torch

    from reidops.embedding.network import EmbeddingNetwork
    from reidops.training.freezing import check_freeze
    from reidops.training.weights import check_pretrained, load_weights

    if params.threads:
        torch.set_num_threads(params.threads)
    if params.compile and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))):
        raise ReidopsError(
            "train.compile is true, but there is no C++ compiler (g++, clang++ or $CXX); install one or set it to false"
        )
    torch.manual_seed(params.seed)
    if params.pretrained:
        check_pretrained(params.backbone)
    network = EmbeddingNetwork(
        params.backbone,
        embedding_dim=params.embedding_dim,
        parts=params.parts,
        pooling=params.pooling,
        last_stride=params.last_stride,
        pretrained=params.pretrained,
    )
    check_freeze(network, params.freeze)
    if params.weights:
        load_weights(network, repository_path(params.weights))
    return network


def _read_data(
    table: pd.DataFrame, tar: Path, network: "EmbeddingNetwork", fabric: "Fabric", params: TrainParams
) -> "TrainingData":
    from reidops.embedding.images import CropStore, GrowingImages, ImageBatches
    from reidops.retrieval.ranking import score_embeddings
    from reidops.training.augmentation import Augmentation
    from reidops.training.sampling import IdentitySampler
    from reidops.training.training import TrainingData
    from reidops.training.validation import read_held_out

    rows = table.index[table["split"] == "train"].to_numpy()
    if len(rows) == 0:
        raise ReidopsError(
            f"{tar.with_name('crops.parquet')}: no row has the split `train`; name a set in download.train and run "
            f"`dvc repro`"
        )
    labels = pd.factorize(table["pid"].to_numpy()[rows], sort=True)[0]
    camids = table["camid"].to_numpy()[rows] if params.prefer_cameras else None
    sampler = IdentitySampler(
        labels,
        params.people_per_batch,
        params.crops_per_person,
        seed=params.seed,
        camids=camids,
        rank=fabric.global_rank,
        num_ranks=fabric.world_size,
    )
    augmentation = Augmentation(
        flip=params.flip,
        pad=params.pad,
        jitter=params.jitter,
        contrast=params.contrast,
        saturation=params.saturation,
        hue=params.hue,
        grey=params.grey,
        local_grey=params.local_grey,
        auto_augment=params.auto_augment,
        erasing=params.erasing,
        mean=network.mean,
        std=network.std,
    )
    store = CropStore(tar, table)
    judges = partial(
        read_held_out, store, table, params.height, params.width, score_embeddings, params.checkpoint_people
    )
    held_out = judges() if fabric.is_global_zero else None
    log.info("%s crops of %d people to learn from, %d steps an epoch", f"{len(rows):,}", labels.max() + 1, len(sampler))
    images = GrowingImages(partial(ImageBatches, store, rows), (params.height, params.width), params.early_sizes)
    return TrainingData(images, labels, sampler, augmentation, held_out)


def _fit(
    network: "EmbeddingNetwork",
    data: "TrainingData",
    checkpoints: "Checkpoints",
    params: TrainParams,
    *,
    fabric: "Fabric",
    live: "LiveRun | None",
) -> "TrainedWeights":
    from reidops.embedding.network import TrainingNetwork
    from reidops.training.freezing import Freezing
    from reidops.training.losses import BranchLosses, build_losses
    from reidops.training.optimization import RateCurve, build_optimizer, build_schedule
    from reidops.training.training import Loop, Trainer, steps_per_epoch

    num_people = int(data.labels.max()) + 1
    training_network = TrainingNetwork(network, num_people)
    losses = BranchLosses(
        [
            build_losses(params.losses, params.loss_options, num_people=num_people, dim=network.branch_dim)
            for _ in range(network.num_branches)
        ]
    )
    optimizer = build_optimizer(
        training_network,
        params.optimizer,
        params.learning_rate,
        params.weight_decay,
        losses=losses,
        options=params.optimizer_options,
        head_factor=params.head_factor,
    )
    curve = RateCurve(
        params.schedule,
        warmup_epochs=params.warmup_epochs,
        warmup_steps=params.warmup_steps,
        flat_epochs=params.flat_epochs,
        final_share=params.final_share,
        milestones=params.milestones,
        step_factor=params.step_factor,
    )
    schedule = build_schedule(optimizer, curve, params.epochs, steps_per_epoch(len(data.sampler), params.accumulate))
    loop = Loop(params.seed, params.accumulate, params.ema, params.clip, params.val_every, params.compile)
    trainer = Trainer(
        training_network,
        losses,
        optimizer,
        schedule,
        data,
        fabric=fabric,
        checkpoints=checkpoints,
        loop=loop,
        freezing=Freezing(training_network, params.freeze, params.freeze_epochs),
        follower=live and live.log_epoch,
    )
    return trainer.fit(params.epochs)


def _untrained(network: "EmbeddingNetwork") -> "TrainedWeights":
    """Return the network as it is, for `epochs: 0`.

    Raises:
        ReidopsError: a value of its weights is NaN or infinite.
    """
    from reidops.training.keeping import TrainedWeights
    from reidops.training.weights import check_finite

    check_finite(network.state_dict(), "the weights that train.epochs: 0 keeps")
    return TrainedWeights(
        network.state_dict(), 0, pd.DataFrame(columns=["epoch", "loss", "lr", "val_mAP", "val_rank1"])
    )


def _write(
    network: "EmbeddingNetwork",
    trained: "TrainedWeights",
    table: pd.DataFrame,
    model: Path,
    params: TrainParams,
    start: "Origin",
) -> None:
    from reidops.training.curves import draw_curves

    with whole_folder(model) as folder:
        _save(network, trained, table, folder, params, start)
        with whole_file(folder / "history.csv") as partial:
            trained.history.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
        if len(trained.history):
            draw_curves(trained.history, folder / "curves.png")


def _save(
    network: "EmbeddingNetwork",
    trained: "TrainedWeights",
    table: pd.DataFrame,
    folder: Path,
    params: TrainParams,
    start: "Origin",
) -> None:
    from reidops.datasets.origin import with_training
    from reidops.embedding.embedder import Embedder, describe

    learnt = table[table["split"] == "train"]
    origin = with_training(start, table) if params.epochs else start
    facts = {**origin.facts, "epoch": trained.epoch}
    if params.epochs:
        facts |= {"checkpoint_people": params.checkpoint_people, "precision": params.precision}
        facts |= {"datasets": sorted(learnt["dataset"].unique()), "num_crops": len(learnt)}
    network.load_state_dict(trained.weights)
    description = describe(
        network,
        backbone=params.backbone,
        embedding_dim=params.embedding_dim,
        pooling=params.pooling,
        last_stride=params.last_stride,
        height=params.height,
        width=params.width,
        num_classes=learnt["pid"].nunique() if params.epochs else 0,
    )
    Embedder(network, description).save(folder, trained_on=facts)


if __name__ == "__main__":
    run_stage(train, TrainParams)
