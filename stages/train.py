"""Train the embedder on the training people, and choose its checkpoint on the held-out people.

Reads:  data/crops (crops.tar, crops.parquet), data/validation/report.json
Writes: data/model/ model.safetensors, embedder.json, history.csv, curves.png
        data/checkpoints/ during the training, from which an interrupted run continues
        a run in MLflow with live curves, if train.track names an experiment

On several GPUs or hosts: train.processes, or `torchrun --nproc-per-node=2 -m stages.train --crops data/crops …` on each
host.
"""

import dataclasses
import logging
import os
import shutil
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric

from reidops.datasets.origin import Origin, check_start, origin_of_start, with_training
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.images import CropStore, GrowingImages, ImageBatches
from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork, check_backbone
from reidops.errors import ReidopsError
from reidops.files import read_json, repository_path, repository_root, sha256, whole_file, whole_folder
from reidops.registry.live_run import LiveRun, live_run
from reidops.retrieval.ranking import score_embeddings
from reidops.tables import CROPS, read_table
from reidops.training.augmentation import Augmentation
from reidops.training.auto_augment import check_policy
from reidops.training.checkpoints import Checkpoints
from reidops.training.curves import draw_curves
from reidops.training.freezing import Freezing, check_freeze
from reidops.training.keeping import TrainedWeights
from reidops.training.losses import BranchLosses, build_losses, check_losses
from reidops.training.optimization import RateCurve, build_optimizer, build_schedule, check_optimizer
from reidops.training.precision import choose_precision, log_precision
from reidops.training.ranks import check_equal_on_all_ranks, launched
from reidops.training.sampling import IdentitySampler
from reidops.training.training import Loop, Trainer, TrainingData, steps_per_epoch
from reidops.training.validation import read_held_out
from reidops.training.weights import check_finite, check_pretrained, load_weights
from stages import run_stage
from stages.params.train import TrainParams

log = logging.getLogger(__name__)

ELSEWHERE = ("processes", "track")  # params that do not affect the result of a training


def train(crops: Path, validation: Path, model: Path, params: TrainParams) -> None:
    """Train on `crops` into `model`."""
    _check_report(validation / "report.json")
    _check_names(params)
    table = read_table(crops / "crops.parquet", CROPS)
    # With parts, layers after the pooling of some backbones (OSNet) are not used.
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
        log_precision(wanted, params.precision, fabric)
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


def _identity(crops: Path, params: TrainParams) -> dict[str, Any]:
    """Return the params and hashes that identify a training; a run with the same identity continues an earlier one."""
    start = {"weights": sha256(repository_path(params.weights))} if params.weights else {}
    return {
        "params": _lasting(params),
        "tar": sha256(crops / "crops.tar"),
        "table": sha256(crops / "crops.parquet"),
        **start,
    }


def _lasting(params: TrainParams) -> dict[str, Any]:
    return {name: value for name, value in vars(params).items() if name not in ELSEWHERE}


def _watch(checkpoints: Checkpoints, fabric: Fabric, params: TrainParams) -> AbstractContextManager[LiveRun | None]:
    """Open the MLflow run of the training on rank 0."""
    if not params.track or not params.epochs or not fabric.is_global_zero:
        return nullcontext()

    digest = checkpoints.folder.name
    name = f"train-{params.backbone} {params.height}x{params.width} ({digest[:8]})"
    return live_run(params.track, name, digest, _lasting(params))


def _check_report(path: Path) -> None:
    report = read_json(path)
    if not report["passed"]:
        raise ReidopsError(
            f"{path}: the data did not pass validation: {'; '.join(map(str, report['errors']))}; correct the data and "
            f"run `dvc repro`"
        )


def _check_names(params: TrainParams) -> None:
    """Check the names of backbone, losses, optimizer and augmentation policy before the data are read."""
    batch = {"people_per_batch": params.people_per_batch, "crops_per_person": params.crops_per_person}
    check_losses(params.losses, params.loss_options, **batch)
    check_backbone(params.backbone)
    check_optimizer(params.optimizer, params.optimizer_options)
    if params.auto_augment:
        check_policy(params.auto_augment)


def _build_network(params: TrainParams) -> EmbeddingNetwork:

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
    table: pd.DataFrame, tar: Path, network: EmbeddingNetwork, fabric: Fabric, params: TrainParams
) -> TrainingData:
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
    log.info("training on %s crops of %d people, %d steps per epoch", f"{len(rows):,}", labels.max() + 1, len(sampler))
    images = GrowingImages(partial(ImageBatches, store, rows), (params.height, params.width), params.early_sizes)
    return TrainingData(images, labels, sampler, augmentation, held_out)


def _fit(
    network: EmbeddingNetwork,
    data: TrainingData,
    checkpoints: Checkpoints,
    params: TrainParams,
    *,
    fabric: Fabric,
    live: LiveRun | None,
) -> TrainedWeights:
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


def _untrained(network: EmbeddingNetwork) -> TrainedWeights:
    """Return the loaded weights without training, for `epochs: 0`.

    Raises:
        ReidopsError: a value of its weights is NaN or infinite.
    """
    check_finite(network.state_dict(), "the loaded weights (train.epochs is 0)")
    return TrainedWeights(
        network.state_dict(), 0, pd.DataFrame(columns=["epoch", "loss", "lr", "val_mAP", "val_rank1"])
    )


def _write(
    network: EmbeddingNetwork,
    trained: TrainedWeights,
    table: pd.DataFrame,
    model: Path,
    params: TrainParams,
    start: Origin,
) -> None:
    with whole_folder(model) as folder:
        _save(network, trained, table, folder, params, start)
        with whole_file(folder / "history.csv") as partial:
            trained.history.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
        if len(trained.history):
            draw_curves(trained.history, folder / "curves.png")


def _save(
    network: EmbeddingNetwork,
    trained: TrainedWeights,
    table: pd.DataFrame,
    folder: Path,
    params: TrainParams,
    start: Origin,
) -> None:
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
    run_stage(train)
