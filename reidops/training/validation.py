"""Score a network on held-out training people, to choose the checkpoint."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

from reidops.embedding.held_out import CheckpointPeople, choose_the_checkpoint
from reidops.embedding.images import CropStore, load_images
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError
from reidops.training.tracklet_sampling import TrackletPooling, find_tracklets, spread

log = logging.getLogger(__name__)

GAP = 25  # frames; nearer crops of one camera show the same pose, so they are trivial matches


class Scores(Protocol):
    """The scores of a ranking: fractions 0 … 1."""

    @property
    def mAP(self) -> float:
        """Mean average precision."""

    @property
    def rank1(self) -> float:
        """Share of the queries whose first match has rank 1."""


_LoadImages = Callable[[np.ndarray], np.ndarray]  # rows of the crops table → RGB uint8 [N, H, W, 3]
Ranking = Callable[..., Scores]
"""`reidops.retrieval.ranking.score_embeddings` or a function with the same arguments. It is passed as an argument,
because this package must not import reidops.retrieval.
"""


@dataclass(frozen=True)
class HeldOut:
    """Resized crops of held-out people, RGB uint8 [N, H, W, 3], their rows of the crops table, and the ranking.

    With `pooling` the images are the sampled crops of tracklets, which begin at `starts`, and `crops` has the row of
    each tracklet's middle crop.
    """

    images: np.ndarray
    crops: pd.DataFrame
    ranking: Ranking
    pooling: TrackletPooling | None = None
    starts: np.ndarray | None = None

    def pool(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the embeddings of the rows of `crops`, float32, of those of the images [N, dim]."""
        if self.pooling is None or self.starts is None:
            return embeddings
        return self.pooling.pool_unit(embeddings, self.starts)

    def score(self, embeddings: np.ndarray) -> Scores:
        """Return the scores with every row as a query of all others; `embeddings` are those of the rows, [M, dim]."""
        columns = {"pids": "pid", "camids": "camid", "frames": "frame"}
        labels = {
            f"{side}_{name}": self.crops[c].to_numpy() for side in ("query", "gallery") for name, c in columns.items()
        }
        return self.ranking(embeddings, embeddings, **labels, junk=held_out_junk(self.crops), gap=GAP)


def embed_images(network: EmbeddingNetwork, images: np.ndarray, fabric: Fabric, batch_size: int = 128) -> np.ndarray:
    """Return unit embeddings, float32 [N, dim], of RGB uint8 images [N, H, W, 3], in the precision of the training."""
    network.eval()
    with torch.inference_mode(), fabric.autocast():
        starts = range(0, len(images), batch_size)
        batches = [network(torch.from_numpy(images[i : i + batch_size]).to(fabric.device)).cpu() for i in starts]
    return torch.cat(batches).numpy()


def read_held_out(
    store: CropStore,
    table: pd.DataFrame,
    height: int,
    width: int,
    ranking: Ranking,
    checkpoint_people: CheckpointPeople = "all",
    *,
    pooling: TrackletPooling | None = None,
) -> HeldOut | None:
    """Read the crops of the people on whom the checkpoint is chosen; return None if they cannot be ranked.

    The reason for None is logged. Random embeddings are ranked once, so that a split without matches is detected before
    the first epoch. With `pooling` tracklets are ranked, of evenly spaced crops.
    """
    rows = table.index[choose_the_checkpoint(table, checkpoint_people)].to_numpy()
    if len(rows) == 0:
        log.warning(
            "no held-out people: the crops table has no row with split `val`; the last epoch's weights will be kept"
        )
        return None
    load = partial(load_images, store, height=height, width=width)
    held_out = _load_tracklets(load, table, rows, ranking, pooling) if pooling else _load(load, table, rows, ranking)
    try:
        held_out.score(np.random.default_rng(0).standard_normal((len(held_out.crops), 8), np.float32))
    except ReidopsError as error:
        log.warning("the held-out people cannot be ranked (%s); the weights of the last epoch will be kept", error)
        return None
    return held_out


def _load(load: _LoadImages, table: pd.DataFrame, rows: np.ndarray, ranking: Ranking) -> HeldOut:
    return HeldOut(load(rows), table.loc[rows].reset_index(drop=True), ranking)


def _load_tracklets(
    load: _LoadImages, table: pd.DataFrame, rows: np.ndarray, ranking: Ranking, pooling: TrackletPooling
) -> HeldOut:
    """Return the tracklets of the rows, with evenly spaced crops of each."""
    tracklets = [rows[crops] for crops in find_tracklets(table.loc[rows], pooling.frames)]
    sampled = [spread(crops, min(len(crops), pooling.frames)) for crops in tracklets]
    starts = np.cumsum([0, *(len(crops) for crops in sampled[:-1])])
    middles = [crops[len(crops) // 2] for crops in tracklets]
    return HeldOut(load(np.concatenate(sampled)), table.loc[middles].reset_index(drop=True), ranking, pooling, starts)


def held_out_junk(crops: pd.DataFrame) -> str | np.ndarray:
    """Return the junk rule of the held-out people: a name, or a mask [N, N] if the data sets have different rules.

    Data sets whose people have several cameras use Market-1501's rule (same person, same camera). In other sets (MOT)
    this rule leaves no match, so crops of the same camera less than 25 frames away are junk.
    """
    cameras = crops.groupby(["dataset", "pid"])["camid"].nunique().groupby("dataset").median()
    by_camera = (crops["dataset"].map(cameras) > 1).to_numpy()
    if by_camera.all():
        return "same-camera"
    if not by_camera.any():
        return "time-gap"
    pids, camids, frames = (crops[name].to_numpy() for name in ("pid", "camid", "frame"))
    own = pids[:, None] == pids
    near = np.abs(frames[:, None] - frames) < GAP
    return (camids[:, None] == camids) & np.where(by_camera[:, None], own, near)
