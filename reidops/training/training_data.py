"""Read the training data of one rank from a crops table and its crops.tar."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from lightning_fabric import Fabric

from reidops.embedding.images import CropStore, GrowingImages, ImageBatches
from reidops.training.augmentation import Augmentation
from reidops.training.generated import GeneratedCrops, GeneratedSource, read_generated
from reidops.training.sampling import IdentitySampler
from reidops.training.tracklet_sampling import TrackletPooling, TrackletSampler, find_tracklets
from reidops.training.training import TrainingData
from reidops.training.training_crops import TrainingCrops, find_training_crops
from reidops.training.validation import HeldOut

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batches:
    """Batches of `people_per_batch` × `crops_per_person` crops or tracklets.

    Attributes:
        prefer_cameras: sample the crops of a person from several cameras, if possible.
    """

    people_per_batch: int
    crops_per_person: int
    seed: int = 0
    prefer_cameras: bool = True


def read_training_data(
    store: CropStore,
    table: pd.DataFrame,
    batches: Batches,
    augmentation: Augmentation,
    *,
    size: tuple[int, int],
    fabric: Fabric,
    read_held_out: Callable[[], HeldOut | None],
    early_sizes: Sequence[tuple[float, int, int]] = (),
    generated: GeneratedSource | None = None,
    with_cameras: bool = False,
    pooling: TrackletPooling | None = None,
) -> TrainingData:
    """Return the crops of the split `train` with this rank's share of the batches.

    Args:
        table: tables.CROPS of the crops in `store`.
        size: height and width of the network's input, px; `early_sizes` as in `GrowingImages`.
        read_held_out: reads the people on whom the checkpoint is chosen; called on rank 0 only.
        generated: generated crops that join each batch; None = none.
        with_cameras: whether the network embeds the cameras of the crops.
        pooling: batches have tracklets in place of crops; None = crops.

    Raises:
        ReidopsError: there is no training crop, or the batches need more people or generated crops than there are.
    """
    crops = find_training_crops(table, store.path.with_name("crops.parquet"))
    sampler = (
        _sample_tracklets(crops, table, batches, pooling, fabric) if pooling else _make_sampler(crops, batches, fabric)
    )
    held_out = read_held_out() if fabric.is_global_zero else None
    log.info(
        "training on %s crops of %d people, %d steps per epoch", f"{len(crops.rows):,}", crops.num_people, len(sampler)
    )
    images = GrowingImages(partial(ImageBatches, store, crops.rows), size, early_sizes)
    extra = _read_generated(generated, batches, fabric) if generated else None
    cameras = pd.factorize(crops.camids, sort=True)[0] if with_cameras else None
    return TrainingData(images, crops.labels, sampler, augmentation, held_out, extra, cameras, pooling)


def _make_sampler(crops: TrainingCrops, batches: Batches, fabric: Fabric) -> IdentitySampler:
    """Return the sampler of the items of `crops`, which are single crops or tracklets."""
    return IdentitySampler(
        crops.labels,
        batches.people_per_batch,
        batches.crops_per_person,
        seed=batches.seed,
        camids=crops.camids if batches.prefer_cameras else None,
        rank=fabric.global_rank,
        num_ranks=fabric.world_size,
    )


def _sample_tracklets(
    crops: TrainingCrops, table: pd.DataFrame, batches: Batches, pooling: TrackletPooling, fabric: Fabric
) -> TrackletSampler:
    tracklets = find_tracklets(table.loc[crops.rows], pooling.frames)
    first = np.array([positions[0] for positions in tracklets])
    items = TrainingCrops(crops.rows[first], crops.labels[first], crops.camids[first])
    log.info("%s tracklets, %d frames of each in a batch", f"{len(tracklets):,}", pooling.frames)
    return TrackletSampler(tracklets, _make_sampler(items, batches, fabric), pooling, batches.seed)


def _read_generated(source: GeneratedSource, batches: Batches, fabric: Fabric) -> GeneratedCrops:
    num_real = batches.people_per_batch * batches.crops_per_person
    ranks = {"rank": fabric.global_rank, "num_ranks": fabric.world_size}
    crops = read_generated(source, num_real, seed=batches.seed, **ranks)
    log.info("%d generated crops join each batch of %d (%s)", crops.num_per_batch, num_real, source.mode)
    return crops
