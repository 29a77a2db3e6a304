"""The pipeline's main steps as functions, for scripts that use neither DVC nor params.yaml.

`cut_crops` turns a data set into crops, `train_embedder` trains on them, `evaluate_embedder` ranks the test people and
calibrates the gates. docs/api.md describes them and examples/train_and_track.py uses them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric

from reidops.datasets.conversion import cut_and_pack
from reidops.datasets.layouts import SetFolder, expected_layout, layout_of
from reidops.datasets.origin import check_start, origin_of_start, with_training
from reidops.datasets.planning import SplitRules, plan_crops
from reidops.datasets.roles import Roles, assign_parts
from reidops.embedding.backbones import check_backbone
from reidops.embedding.embedder import Embedder, describe
from reidops.embedding.images import CropStore
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.files import sha256, whole_folder
from reidops.mot.crops import BoxRules
from reidops.retrieval.calibration import Calibration, calibrate
from reidops.retrieval.evaluation import crops_to_calibrate, embed_tests, refuse_collapsed, score_tests
from reidops.retrieval.ranking import RankingScores, score_embeddings
from reidops.retrieval.ranking_sets import find_ranking_sets
from reidops.tables import CROPS, read_table, write_table
from reidops.training.augmentation import Augmentation
from reidops.training.checkpoints import Checkpoints
from reidops.training.fitting import FitSettings, fit_network
from reidops.training.keeping import TrainedWeights
from reidops.training.losses import check_losses
from reidops.training.optimization import RateCurve
from reidops.training.precision import choose_precision
from reidops.training.ranks import launched
from reidops.training.training import Loop, TrainingData
from reidops.training.training_data import Batches, read_training_data
from reidops.training.validation import read_held_out
from reidops.training.weights import load_weights

# The network around the backbone: no projection, and twice the height and width of the last map.
_NETWORK: dict[str, Any] = {"embedding_dim": 0, "pooling": "avg", "last_stride": 1}


@dataclass(frozen=True)
class CropSet:
    """Crops in a folder: crops.tar and crops.parquet, as the stage `convert` writes them too."""

    folder: Path

    @cached_property
    def table(self) -> pd.DataFrame:
        """Return a row per crop (tables.CROPS); `split` is train, val, query or gallery."""
        return read_table(self.folder / "crops.parquet", CROPS)

    @cached_property
    def store(self) -> CropStore:
        """Return the reader of the crops' pictures."""
        return CropStore(self.folder / "crops.tar", self.table)

    @property
    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of both files."""
        return {name: sha256(self.folder / name) for name in ("crops.tar", "crops.parquet")}


@dataclass(frozen=True)
class TrainingSettings:
    """What `train_embedder` trains. The stage `train` has more; its params are independent of these values.

    Attributes:
        backbone: a name of timm, or of OSNet's and ResNet-IBN-a's variants.
        height, width: of the network's input, px.
        people_per_batch, crops_per_person: P and K of the P × K batches.
        losses: loss → weight, see `reidops.training.losses`.
        weights: file to start from; None = random weights.
    """

    backbone: str = "fasternet_t0"
    height: int = 96
    width: int = 48
    epochs: int = 10
    people_per_batch: int = 8
    crops_per_person: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 5e-4
    losses: Mapping[str, float] = field(default_factory=lambda: {"cross-entropy": 1.0, "triplet": 1.0})
    weights: Path | None = None
    seed: int = 0


@dataclass(frozen=True)
class Evaluation:
    """Scores by test set (and of a colour histogram), and the calibration of the embedder's distances."""

    scores: dict[str, RankingScores]
    calibration: Calibration

    @property
    def gates(self) -> Mapping[str, float]:
        """Return the largest distance at which two crops count as one person, by kind of distance (`cosine`, …)."""
        return self.calibration.report["gates"]


def cut_crops(
    dataset: Path, folder: Path, *, held_out: Sequence[str] = (), box_rules: BoxRules = BoxRules(), workers: int = 1
) -> CropSet:
    """Cut the crops of a data set, in MOTChallenge's layout or as a folder of crops, into `folder`.

    Args:
        held_out: scenes or sequences whose people are tested and never trained on. A data set of crops has its own test
            people and takes none.

    Raises:
        ReidopsError: the folder has no known layout, a name of `held_out` is unknown, or too few people are left.
    """
    name, layout = dataset.name, layout_of(dataset)
    if layout is None:
        raise ReidopsError(f"{dataset}: {expected_layout(name)}")
    roles = Roles(train=(name,), test=(name,), track=(), sequences=tuple(held_out))
    parts = assign_parts({name: SetFolder(name, layout, dataset, str(dataset))}, roles)
    plan, _ = plan_crops(parts, box_rules, SplitRules())
    with whole_folder(folder) as unfinished:
        table = cut_and_pack(plan, unfinished / "crops.tar", workers=workers)
        write_table(table, unfinished / "crops.parquet", CROPS)
    return CropSet(folder)


def train_embedder(crops: CropSet, model: Path, settings: TrainingSettings = TrainingSettings()) -> Embedder:
    """Train on the crops of split `train`, keep the epoch that ranks split `val` best, save the embedder to `model`.

    A training that was interrupted continues from its last checkpoint (`model` + ".checkpoints").

    Raises:
        ReidopsError: a name in the settings is unknown, the weights do not fit or were trained on the tested people, or
            the network collapsed.
    """
    batch = {"people_per_batch": settings.people_per_batch, "crops_per_person": settings.crops_per_person}
    check_losses(settings.losses, {}, **batch)
    check_backbone(settings.backbone)
    torch.manual_seed(settings.seed)
    network = EmbeddingNetwork(settings.backbone, **_NETWORK)
    start = origin_of_start(settings.weights, pretrained=False)
    check_start(start, crops.table)
    if settings.weights is not None:
        load_weights(network, settings.weights)
    identity = {"settings": {**vars(settings), "weights": str(settings.weights)}, **crops.digests}
    checkpoints = Checkpoints(model.with_name(model.name + ".checkpoints"), identity)
    with launched(1, choose_precision("auto")) as fabric:
        trained = _fit(network, crops, settings, fabric, checkpoints)
    network.load_state_dict(trained.weights)
    facts = with_training(start, crops.table).facts | {"epoch": trained.epoch, "checkpoint_people": "all"}
    embedder = _embedder(network, settings, int(crops.table.loc[crops.table["split"] == "train", "pid"].nunique()))
    with whole_folder(model) as unfinished:
        embedder.save(unfinished, trained_on=facts)
    checkpoints.delete()
    return Embedder.load(model)


def evaluate_embedder(embedder: Embedder, crops: CropSet, *, max_rank: int = 50) -> Evaluation:
    """Rank the queries of each test set, and calibrate the gates on the held-out people (split `val`).

    Raises:
        ReidopsError: the crops have no test set, or the embeddings have collapsed.
    """
    embedded = embed_tests(embedder, crops.store, crops.table, find_ranking_sets(crops.table))
    refuse_collapsed(embedded)
    scores = score_tests(embedded, max_rank=max_rank, rerank=False)
    held_out = crops_to_calibrate(crops.table, embedder, crops.store, batch_size=64)
    return Evaluation(scores, calibrate(held_out, chose_checkpoint=True))


def _fit(
    network: EmbeddingNetwork, crops: CropSet, settings: TrainingSettings, fabric: Fabric, checkpoints: Checkpoints
) -> TrainedWeights:
    fit = FitSettings(
        settings.epochs,
        settings.losses,
        settings.learning_rate,
        settings.weight_decay,
        curve=RateCurve(warmup_epochs=2),
        loop=Loop(settings.seed, ema_decay=0.99, val_every=2),
    )
    data = _training_data(network, crops, settings, fabric)
    return fit_network(network, data, fit, fabric=fabric, checkpoints=checkpoints)


def _training_data(
    network: EmbeddingNetwork, crops: CropSet, settings: TrainingSettings, fabric: Fabric
) -> TrainingData:
    size = (settings.height, settings.width)
    return read_training_data(
        crops.store,
        crops.table,
        Batches(settings.people_per_batch, settings.crops_per_person, settings.seed),
        Augmentation(flip=0.5, pad=0.04, jitter=0.5, erasing=0.5, mean=network.mean, std=network.std),
        size=size,
        fabric=fabric,
        read_held_out=partial(read_held_out, crops.store, crops.table, *size, score_embeddings),
    )


def _embedder(network: EmbeddingNetwork, settings: TrainingSettings, num_people: int) -> Embedder:
    description = describe(
        network,
        backbone=settings.backbone,
        height=settings.height,
        width=settings.width,
        num_classes=num_people,
        **_NETWORK,
    )
    return Embedder(network, description)
