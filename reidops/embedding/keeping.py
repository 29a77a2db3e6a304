"""The weights that a training keeps: its own or their moving average, of the epoch that the held-out people like best."""

import logging
import math
from dataclasses import dataclass

import pandas as pd
from lightning_fabric import Fabric
from timm.utils import ModelEmaV3
from torch import Tensor

from reidops.embedding.network import TrainingNetwork
from reidops.embedding.progress import Progress
from reidops.embedding.validation import HeldOut, embed_images

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedWeights:
    """The chosen weights of the embedding network, the epoch (1-based) they are from, and what happened by epoch."""

    weights: dict[str, Tensor]
    epoch: int
    history: pd.DataFrame


class Keeper:
    """Average a network's weights over the steps, let held-out people judge them, choose.

    Args:
        network: that learns, on its device.
        decay: of the average that is judged and kept; 0 = the weights themselves are.
        held_out: people who judge; None = nobody, and the last epoch's weights are chosen.
    """

    def __init__(self, network: TrainingNetwork, decay: float, held_out: HeldOut | None, fabric: Fabric) -> None:
        self._network, self._held_out, self._fabric = network, held_out, fabric
        self._average = ModelEmaV3(network, decay=decay, use_warmup=True) if decay > 0 else None

    def follow(self, step: int) -> None:
        """Take the network's weights after this step into the average."""
        if self._average is not None:
            self._average.update(self._network, step)

    def judge(self, epoch: int, progress: Progress) -> dict[str, float]:
        """Return the held-out figures, NaN where nobody judges; note the weights in `progress` when they are the best so far."""
        if self._held_out is None:
            return {"val_mAP": math.nan, "val_rank1": math.nan}
        scores = self._held_out.score(embed_images(self._kept.embedding, self._held_out.images, self._fabric))
        if progress.best is None or scores.mAP > progress.best["mAP"]:
            progress.best = {"mAP": scores.mAP, "epoch": epoch, "weights": self._copy()}
        return {"val_mAP": scores.mAP, "val_rank1": scores.rank1}

    def choose(self, epochs: int, progress: Progress) -> TrainedWeights:
        """Return the best weights of a training of so many epochs."""
        best, history = progress.best, pd.DataFrame(progress.history)
        if best is None:
            log.info("no held-out people: the weights of the last epoch are kept, unjudged")
            return TrainedWeights(self._copy(), epochs, history)
        log.info("kept epoch %d: held-out mAP %.3f", best["epoch"], best["mAP"])
        return TrainedWeights(best["weights"], best["epoch"], history)

    def state_dict(self) -> dict[str, Tensor] | None:
        """Return the average, None where there is none."""
        return None if self._average is None else self._average.module.state_dict()

    def load_state_dict(self, state: dict[str, Tensor] | None) -> None:
        """Take up the average."""
        if self._average is not None:
            self._average.module.load_state_dict(state)

    @property
    def _kept(self) -> TrainingNetwork:
        return self._network if self._average is None else self._average.module

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self._kept.embedding.state_dict().items()}
