"""Train the embedder on the training people, and choose its checkpoint on the held-out people.

Reads:  data/crops (crops.tar, crops.parquet, report.json), data/validation/report.json
        data/generated (crops.tar, crops.parquet), if train.generated is set
Writes: data/model/ model.safetensors, embedder.json, history.csv, curves.png
        data/checkpoints/ during the training, from which an interrupted run continues
        a run in MLflow with live curves, if train.track names an experiment

On several GPUs or hosts: train.processes, or `torchrun --nproc-per-node=2 -m stages.train --crops data/crops …` on each
host.
"""

import dataclasses
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric

from reidops.datasets.origin import Origin, check_start, read_left_out, with_teacher, with_training
from reidops.embedding.backbones import check_backbone, check_size
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.images import CropStore
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.files import repository_root, sha256
from reidops.registry.live_run import LiveRun, live_run
from reidops.retrieval.ranking import score_embeddings
from reidops.tables import CROPS, read_table
from reidops.training.augmentation import Augmentation
from reidops.training.auto_augment import check_policy
from reidops.training.checkpoints import Checkpoints
from reidops.training.compiling import check_compiler
from reidops.training.distillation import check_distillation
from reidops.training.finished_state import open_checkpoints
from reidops.training.fitting import FitSettings, fit_network
from reidops.training.freezing import check_freeze
from reidops.training.generated import GeneratedSource, check_generated, find_generated
from reidops.training.identity import lasting_params, training_identity
from reidops.training.initial_weights import InitialWeights
from reidops.training.keeping import TrainedWeights
from reidops.training.losses import check_losses
from reidops.training.optimization import RateCurve, check_optimizer
from reidops.training.precision import choose_precision, log_precision
from reidops.training.ranks import check_equal_on_all_ranks, launched
from reidops.training.recomputation import check_recomputation
from reidops.training.teachers import LoadedTeacher, load_teacher
from reidops.training.tracklet_sampling import TrackletPooling
from reidops.training.trained_model import keep_loaded_weights, training_facts, write_trained_model
from reidops.training.training import Loop, TrainingData
from reidops.training.training_data import Batches, read_training_data
from reidops.training.validation import read_held_out
from reidops.training.weights import check_pretrained
from reidops.validated import check_validated
from stages import run_stage
from stages.params.train import TrainParams


def train(crops: Path, validation: Path, generated: Path, model: Path, params: TrainParams) -> None:
    """Train on `crops` into `model`."""
    check_validated(validation / "report.json")
    _check_names(params)
    table = read_table(crops / "crops.parquet", CROPS)
    weights = InitialWeights(**_arguments(InitialWeights, params))
    network = _build_network(params, table, weights)
    check_start(weights.origin, table)
    teacher = load_teacher(params.teacher, table) if params.teacher and params.epochs else None
    wanted, precision = params.precision, choose_precision(params.precision)
    params = dataclasses.replace(params, precision=precision)
    with launched(params.processes, precision, idle_weights=_has_idle_weights(network, params)) as fabric:
        check_equal_on_all_ranks(fabric, precision, "train.precision", "name one precision in place of auto")
        log_precision(wanted, precision, fabric)
        source = _find_generated(generated, params)
        identity = training_identity(
            dataclasses.asdict(params), crops, weights=weights.file, generated=source, teacher=teacher
        )
        root = repository_root() / "data" / "checkpoints"
        checkpoints, finished = open_checkpoints(root, identity, prune=fabric.is_global_zero)
        with _watch(checkpoints, fabric, params) as live:
            if params.epochs:
                if params.resume and fabric.is_global_zero:
                    finished.continue_from(checkpoints, params.epochs)
                trained = fit_network(
                    network,
                    _read_data(table, crops / "crops.tar", network, fabric, params, generated=source),
                    _fit_settings(params),
                    fabric=fabric,
                    checkpoints=checkpoints,
                    on_epoch=live.log_epoch if live else None,
                    teacher=teacher.of_student(network) if teacher else None,
                )
            else:
                trained = keep_loaded_weights(network)
            if fabric.is_global_zero:
                origin = _add_training(weights.origin, teacher, table, crops, params)
                _write(network, trained, table, model, params, origin)
                finished.keep(checkpoints)
                if live:
                    live.name_weights(sha256(model / "model.safetensors"))


def _has_idle_weights(network: EmbeddingNetwork, params: TrainParams) -> bool:
    """Return whether some weights get no gradient: frozen ones, or with stripes those behind the pooling."""
    if params.freeze is not None:
        return True
    return params.parts > 0 and bool(network.idle_weights((params.height, params.width)))


def _check_names(params: TrainParams) -> None:
    """Check the names of backbone, losses, optimizer and augmentation policy before the data are read."""
    batch = {"people_per_batch": params.people_per_batch, "crops_per_person": params.crops_per_person}
    check_losses(params.losses, params.loss_options, **batch)
    check_generated(params.generated, params.losses.get("cross-entropy", 0.0))
    if params.generated and params.camera_embedding:
        raise ReidopsError(
            "train.generated is set, but generated crops have no camera; set train.generated to null or "
            "train.camera_embedding to false"
        )
    if params.generated and params.tracklets:
        raise ReidopsError(
            "train.generated is set, but generated crops are in no tracklet; set train.generated or train.tracklets to "
            "null"
        )
    if params.compile and params.checkpoint_activations:
        raise ReidopsError(
            "train.compile and train.checkpoint_activations are true, but torch.compile chooses itself which "
            "activations are recomputed; set one of them to false"
        )
    check_backbone(params.backbone)
    check_optimizer(params.optimizer, params.optimizer_options)
    if params.teacher:
        check_distillation(params.teacher_losses)
    if params.auto_augment:
        check_policy(params.auto_augment)


def _build_network(params: TrainParams, table: pd.DataFrame, weights: InitialWeights) -> EmbeddingNetwork:
    if params.threads:
        torch.set_num_threads(params.threads)
    if params.compile:
        check_compiler()
    torch.manual_seed(params.seed)
    if params.pretrained:
        check_pretrained(params.backbone)
    num_cameras = table.loc[table["split"] == "train", "camid"].nunique() if params.camera_embedding else 0
    network = EmbeddingNetwork(**_arguments(EmbeddingNetwork, params), num_cameras=num_cameras)
    for _, *size in params.early_sizes:
        for backbone, own_size in zip(network.backbones, network.member_sizes((size[0], size[1])), strict=True):
            check_size(backbone, own_size, "train.early_sizes")
    if params.checkpoint_activations:
        check_recomputation(network, "train.checkpoint_activations")
    check_freeze(network, params.freeze)
    weights.load_into(network)
    return network


def _find_generated(generated: Path, params: TrainParams) -> GeneratedSource | None:
    """Return the generated crops that join the training; None if there are none or nothing is trained."""
    if params.generated is None or params.epochs == 0:
        return None
    return find_generated(generated, params.generated, params.generated_share)


def _add_training(
    start: Origin, teacher: LoadedTeacher | None, table: pd.DataFrame, crops: Path, params: TrainParams
) -> Origin:
    """Return the origin of weights that start at `start`, with this training and that of its teacher."""
    if not params.epochs:
        return start
    start = with_teacher(start, teacher.origin) if teacher else start
    return with_training(start, table, read_left_out(crops))


def _watch(checkpoints: Checkpoints, fabric: Fabric, params: TrainParams) -> AbstractContextManager[LiveRun | None]:
    """Open the MLflow run of the training on rank 0."""
    if not params.track or not params.epochs or not fabric.is_global_zero:
        return nullcontext()
    digest = checkpoints.folder.name
    name = f"train-{params.backbone} {params.height}x{params.width} ({digest[:8]})"
    return live_run(params.track, name, digest, lasting_params(dataclasses.asdict(params)))


def _read_data(
    table: pd.DataFrame,
    tar: Path,
    network: EmbeddingNetwork,
    fabric: Fabric,
    params: TrainParams,
    *,
    generated: GeneratedSource | None,
) -> TrainingData:
    store, size = CropStore(tar, table), (params.height, params.width)
    pooling = TrackletPooling(**vars(params.tracklets)) if params.tracklets else None
    return read_training_data(
        store,
        table,
        Batches(**_arguments(Batches, params)),
        Augmentation(**_arguments(Augmentation, params), mean=network.mean, std=network.std),
        size=size,
        fabric=fabric,
        read_held_out=partial(
            read_held_out, store, table, *size, score_embeddings, params.checkpoint_people, pooling=pooling
        ),
        early_sizes=params.early_sizes,
        generated=generated,
        with_cameras=params.camera_embedding,
        pooling=pooling,
    )


def _fit_settings(params: TrainParams) -> FitSettings:
    return FitSettings(
        **_arguments(FitSettings, params),
        curve=RateCurve(params.schedule, **_arguments(RateCurve, params)),
        loop=Loop(
            params.seed,
            params.accumulate,
            params.ema,
            params.clip,
            params.val_every,
            params.compile,
            params.checkpoint_activations,
            params.sync_norms,
        ),
    )


def _write(
    network: EmbeddingNetwork,
    trained: TrainedWeights,
    table: pd.DataFrame,
    model: Path,
    params: TrainParams,
    origin: Origin,
) -> None:
    num_classes, facts = 0, origin.facts | {"epoch": trained.epoch}
    if params.epochs:
        num_classes = table.loc[table["split"] == "train", "pid"].nunique()
        settings: dict[str, Any] = {"checkpoint_people": params.checkpoint_people, "precision": params.precision}
        if params.generated:
            settings |= {"generated": params.generated, "generated_share": params.generated_share}
        if params.tracklets:
            settings |= {"tracklets": vars(params.tracklets)}
        facts = training_facts(origin, table, trained, **settings)
    description = describe(network, **_arguments(describe, params), num_classes=num_classes)
    write_trained_model(Embedder(network, description), trained, model, facts)


def _arguments(function: Callable[..., Any], params: TrainParams) -> dict[str, Any]:
    """Return the params that have the name of an argument of a function or class."""
    return {name: getattr(params, name) for name in inspect.signature(function).parameters if hasattr(params, name)}


if __name__ == "__main__":
    run_stage(train)
