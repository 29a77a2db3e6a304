"""Score a network on held-out training people, to choose the checkpoint by."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

from reidops.embedding.held_out import CheckpointPeople, choose_the_checkpoint
from reidops.embedding.images import CropStore, load_images
from reidops.embedding.network import EmbeddingNetwork
from reidops.errors import ReidopsError

log = logging.getLogger(__name__)

GAP = 25  # frames; crops of one camera that are nearer in time show one pose, finding them is no re-identification


class Scores(Protocol):
    """What a ranking must tell: fractions 0 … 1."""

    @property
    def mAP(self) -> float: ...

    @property
    def rank1(self) -> float: ...


Ranking = Callable[..., Scores]
"""`reidops.retrieval.ranking.score_embeddings`, or what takes the same arguments; handed in, for that room lies above
this one.
"""


@dataclass(frozen=True)
class HeldOut:
    """Resized crops of held-out people, RGB uint8 [N, H, W, 3], their rows of the crops table, and how they are
    ranked.
    """

    images: np.ndarray
    crops: pd.DataFrame
    ranking: Ranking

    def score(self, embeddings: np.ndarray) -> Scores:
        """Let every crop query all others, embeddings float32 [N, dim]."""
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
) -> HeldOut | None:
    """Read the crops of the people who choose the checkpoint; None, with the reason in the log, where they cannot judge
    a network.

    Noise is ranked once, so that a split in which nobody has anybody to find is found out before the first epoch.
    """
    rows = table.index[choose_the_checkpoint(table, checkpoint_people)].to_numpy()
    if len(rows) == 0:
        log.warning(
            "no held-out people: the crops table has no row with split `val`, the last epoch's weights will be kept"
        )
        return None
    held_out = HeldOut(load_images(store, rows, height, width), table.loc[rows].reset_index(drop=True), ranking)
    try:
        held_out.score(np.random.default_rng(0).standard_normal((len(rows), 8), np.float32))
    except ReidopsError as error:
        log.warning("the held-out people cannot judge (%s), the last epoch's weights will be kept", error)
        return None
    return held_out


def held_out_junk(crops: pd.DataFrame) -> str | np.ndarray:
    """Return the junk rule: a name, or a mask [N, N] where several data sets differ.

    Where people of a data set are seen by several cameras it is Market-1501's rule, the same person in the same camera.
    Where they are not (MOT) that would leave nobody to find, and it is what the same camera saw less than 25 frames
    away.
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
