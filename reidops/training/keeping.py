"""The weights that a training keeps: its own or their moving average, of the epoch that the held-out people like
best.
"""

import logging
import math
from dataclasses import dataclass

import pandas as pd
from lightning_fabric import Fabric
from timm.utils import ModelEmaV3
from torch import Tensor

from reidops.embedding.collapse import find_collapse
from reidops.embedding.network import TrainingNetwork
from reidops.errors import ReidopsError
from reidops.training.progress import Progress
from reidops.training.validation import HeldOut, embed_images
from reidops.training.weights import check_finite

log = logging.getLogger(__name__)

UNJUDGED = {"val_mAP": math.nan, "val_rank1": math.nan}
ALL_COLLAPSED = (
    "the network has collapsed on the held-out people in every epoch that was judged, so that no checkpoint can be "
    "chosen; the warnings"
    " above say how. Lower train.learning_rate, raise train.warmup_epochs or set train.clip. With a triplet loss "
    "alone, which can collapse to one"
    " point, add cross-entropy to train.losses"
)


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
        """Return the held-out figures; note the weights in `progress` when they are the best so far.

        The figures are NaN, and the weights are not noted, where nobody judges or the held-out embeddings have
        collapsed.
        """
        if self._held_out is None:
            return UNJUDGED
        embeddings = embed_images(self._kept.embedding, self._held_out.images, self._fabric)
        collapse = find_collapse(embeddings)
        if collapse:
            log.warning(
                "epoch %d is not kept: the network has collapsed on the held-out people (%s);"
                " where this lasts, lower train.learning_rate or raise train.warmup_epochs",
                epoch,
                collapse,
            )
            return UNJUDGED
        scores = self._held_out.score(embeddings)
        if progress.best is None or scores.mAP > progress.best["mAP"]:
            progress.best = {"mAP": scores.mAP, "epoch": epoch, "weights": self._copy()}
        return {"val_mAP": scores.mAP, "val_rank1": scores.rank1}

    def choose(self, epochs: int, progress: Progress) -> TrainedWeights:
        """Return the best weights of a training of so many epochs.

        Raises:
            ReidopsError: every epoch that was judged had collapsed, or a value of the weights is not finite.
        """
        best, history = progress.best, pd.DataFrame(progress.history)
        if best is None and self._held_out is not None:
            raise ReidopsError(ALL_COLLAPSED)
        check_finite(best["weights"] if best else self._copy(), "the trained weights")
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
