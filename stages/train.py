"""Train the embedder on the training people, choose its checkpoint on the held-out ones.

Reads:  data/crops (crops.tar, crops.parquet), data/validation/report.json
Writes: data/model/ model.safetensors, embedder.json, history.csv, curves.png
        data/checkpoints/ while it runs: a run that was killed goes on from there
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import pandas as pd
from pydantic import Field

from reidops.errors import ReidopsError
from reidops.files import read_json, repository_root, sha256, whole_file, whole_folder
from reidops.params import params_dataclass
from reidops.tables import CROPS, read_table
from stages import run_stage

if TYPE_CHECKING:
    from reidops.embedding.checkpoints import Checkpoints
    from reidops.embedding.network import EmbeddingNetwork
    from reidops.embedding.training import TrainedWeights, TrainingData

log = logging.getLogger(__name__)

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]


@params_dataclass
class TrainParams:
    """Network, batches, losses, augmentation and schedule."""

    backbone: str = "resnet10t"  # a name of timm
    pretrained: bool = False  # timm's published weights; needs the network once
    weights: str | None = None  # file to start from instead: safetensors or a torch state dict; null = random
    height: Positive = 96  # px, of the network's input
    width: Positive = 48  # px
    embedding_dim: Annotated[int, Field(ge=0)] = 0  # width of a projection; 0 = the backbone's own
    pooling: Literal["avg", "max", "avgmax", "gem"] = "avg"
    last_stride: Literal[1, 2] = 1  # 1 = twice the last map's height and width
    people_per_batch: Positive = 16  # P
    crops_per_person: Positive = 4  # K; the batch is P × K
    epochs: Positive = 12
    optimizer: str = "adamw"  # a name of timm: adamw, adam, sgd, …
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: NotNegative = 5e-4
    warmup_epochs: Annotated[int, Field(ge=0)] = 2
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    id_weight: NotNegative = 1.0  # of the cross-entropy over the training people
    triplet_weight: NotNegative = 1.0  # of the batch-hard triplet loss
    triplet_margin: Literal["soft"] | float = "soft"  # a Euclidean distance, or soft
    flip: Share = 0.5  # probability
    pad: Share = 0.04  # largest shift, as a share of the height
    erasing: Share = 0.3  # probability
    jitter: Share = 0.2  # largest relative change of brightness
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.99  # decay of the averaged weights; 0 = none
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    clip: NotNegative = 0.0  # largest norm of the gradient; 0 = no limit
    val_every: Positive = 2  # epochs between two looks at the held-out people
    threads: Positive | None = None  # of torch; null = one per core; the weights depend on it in the last bits
    seed: Annotated[int, Field(ge=0)] = 0


def train(crops: Path, validation: Path, model: Path, params: TrainParams) -> None:
    """Train on `crops` into `model`."""
    from reidops.embedding.checkpoints import Checkpoints
    from reidops.embedding.curves import draw_curves

    _check_report(validation / "report.json")
    table = read_table(crops / "crops.parquet", CROPS)
    identity = {"params": vars(params), "tar": sha256(crops / "crops.tar"), "table": sha256(crops / "crops.parquet")}
    checkpoints = Checkpoints(repository_root() / "data" / "checkpoints", identity)
    network = _build_network(params)
    trained = _fit(network, _read_data(table, crops / "crops.tar", network, params), checkpoints, params)
    with whole_folder(model) as folder:
        _save(network, trained, table, folder, params)
        with whole_file(folder / "history.csv") as partial:
            trained.history.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
        draw_curves(trained.history, folder / "curves.png")
    checkpoints.delete()
    log.info("trained %s for %d epochs; the weights of epoch %d are kept", params.backbone, params.epochs, trained.epoch)


def _check_report(path: Path) -> None:
    report = read_json(path)
    if not report["passed"]:
        raise ReidopsError(f"{path}: the data did not pass validation: {'; '.join(map(str, report['errors']))}")


def _build_network(params: TrainParams) -> "EmbeddingNetwork":
    import torch

    from reidops.embedding.network import EmbeddingNetwork
    from reidops.embedding.weights import check_pretrained, load_weights

    if params.threads:
        torch.set_num_threads(params.threads)
    torch.manual_seed(params.seed)
    if params.pretrained:
        check_pretrained(params.backbone)
    network = EmbeddingNetwork(
        params.backbone, embedding_dim=params.embedding_dim, pooling=params.pooling, last_stride=params.last_stride,
        pretrained=params.pretrained,
    )  # fmt: skip
    if params.weights:
        load_weights(network, Path(params.weights))
    return network


def _read_data(table: pd.DataFrame, tar: Path, network: "EmbeddingNetwork", params: TrainParams) -> "TrainingData":
    from reidops.embedding.augmentation import Augmentation
    from reidops.embedding.images import CropStore, ImageBatches
    from reidops.embedding.sampling import IdentitySampler
    from reidops.embedding.training import TrainingData
    from reidops.embedding.validation import read_held_out
    from reidops.retrieval.ranking import score_embeddings

    rows = table.index[table["split"] == "train"].to_numpy()
    labels = pd.factorize(table["pid"].to_numpy()[rows], sort=True)[0]
    sampler = IdentitySampler(labels, params.people_per_batch, params.crops_per_person, seed=params.seed)
    augmentation = Augmentation(
        flip=params.flip, pad=params.pad, jitter=params.jitter, erasing=params.erasing, mean=network.mean, std=network.std
    )
    store = CropStore(tar, table)
    held_out = read_held_out(store, table, params.height, params.width, score_embeddings)
    log.info("%s crops of %d people to learn from, %d steps an epoch", f"{len(rows):,}", labels.max() + 1, len(sampler))
    return TrainingData(ImageBatches(store, rows, params.height, params.width), labels, sampler, augmentation, held_out)


def _fit(network: "EmbeddingNetwork", data: "TrainingData", checkpoints: "Checkpoints", params: TrainParams) -> "TrainedWeights":
    from lightning_fabric import Fabric

    from reidops.embedding.losses import build_losses
    from reidops.embedding.network import TrainingNetwork
    from reidops.embedding.optimization import build_optimizer, build_schedule
    from reidops.embedding.training import Trainer

    training_network = TrainingNetwork(network, int(data.labels.max()) + 1)
    losses = build_losses(
        {"id": params.id_weight, "triplet": params.triplet_weight},
        label_smoothing=params.label_smoothing, triplet_margin=params.triplet_margin, crops_per_person=params.crops_per_person,
    )  # fmt: skip
    optimizer = build_optimizer(training_network, params.optimizer, params.learning_rate, params.weight_decay)
    schedule = build_schedule(optimizer, params.epochs, params.warmup_epochs, len(data.sampler))
    fabric = Fabric(accelerator="auto", devices=1, precision=params.precision)
    trainer = Trainer(
        training_network, losses, optimizer, schedule, data, fabric=fabric, checkpoints=checkpoints,
        seed=params.seed, ema_decay=params.ema, clip=params.clip, val_every=params.val_every,
    )  # fmt: skip
    return trainer.fit(params.epochs)


def _save(network: "EmbeddingNetwork", trained: "TrainedWeights", table: pd.DataFrame, folder: Path, params: TrainParams) -> None:
    from reidops.embedding.embedder import Embedder, describe

    learnt = table[table["split"] == "train"]
    facts = {"datasets": sorted(learnt["dataset"].unique()), "num_crops": len(learnt), "epoch": trained.epoch}
    network.load_state_dict(trained.weights)
    description = describe(
        network, backbone=params.backbone, embedding_dim=params.embedding_dim, pooling=params.pooling, last_stride=params.last_stride,
        height=params.height, width=params.width, num_classes=learnt["pid"].nunique(),
    )  # fmt: skip
    Embedder(network, description).save(folder, trained_on=facts)


if __name__ == "__main__":
    run_stage(train, TrainParams)
