"""Choose the weights of a training: raw or averaged weights of the epoch with the best held-out mAP."""

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

NOT_SCORED = {"val_mAP": math.nan, "val_rank1": math.nan}
ALL_COLLAPSED = (
    "the embeddings of the held-out people have collapsed in every evaluated epoch, so that no checkpoint can be "
    "chosen; the warnings above give details. Lower train.learning_rate, raise train.warmup_epochs or set train.clip. "
    "A triplet loss alone can collapse to one point; then add cross-entropy to train.losses"
)


@dataclass(frozen=True)
class TrainedWeights:
    """The chosen weights of the embedding network, their epoch (1-based), and the history by epoch."""

    weights: dict[str, Tensor]
    epoch: int
    history: pd.DataFrame


class Keeper:
    """Average the weights over the steps, score them on held-out people, and choose the best.

    Args:
        network: the network in training, on its device.
        decay: decay of the moving average of the weights, which is scored and kept; 0 = use the raw weights.
        held_out: the people to score on; None = choose the weights of the last epoch.
    """

    def __init__(self, network: TrainingNetwork, decay: float, held_out: HeldOut | None, fabric: Fabric) -> None:
        self._network, self._held_out, self._fabric = network, held_out, fabric
        self._average = ModelEmaV3(network, decay=decay, use_warmup=True) if decay > 0 else None

    def follow(self, step: int) -> None:
        """Update the average with the network's weights after this step."""
        if self._average is not None:
            self._average.update(self._network, step)

    def evaluate(self, epoch: int, progress: Progress) -> dict[str, float]:
        """Return the held-out scores, and store the weights in `progress` if they are the best so far.

        Without held-out people, or if their embeddings have collapsed, the scores are NaN and no weights are stored.
        """
        if self._held_out is None:
            return NOT_SCORED
        embeddings = self._held_out.pool(embed_images(self._kept.embedding, self._held_out.images, self._fabric))
        collapse = find_collapse(embeddings)
        if collapse:
            log.warning(
                "epoch %d is not kept: the embeddings of the held-out people have collapsed (%s);"
                " if this persists, lower train.learning_rate or raise train.warmup_epochs",
                epoch,
                collapse,
            )
            return NOT_SCORED
        scores = self._held_out.score(embeddings)
        if progress.best is None or scores.mAP > progress.best["mAP"]:
            progress.best = {"mAP": scores.mAP, "epoch": epoch, "weights": self._copy()}
        return {"val_mAP": scores.mAP, "val_rank1": scores.rank1}

    def choose(self, epochs: int, progress: Progress) -> TrainedWeights:
        """Return the best weights of a training of `epochs` epochs.

        Raises:
            ReidopsError: the embeddings had collapsed in every evaluated epoch, or a weight is not finite.
        """
        best, history = progress.best, pd.DataFrame(progress.history)
        if best is None and self._held_out is not None:
            raise ReidopsError(ALL_COLLAPSED)
        check_finite(best["weights"] if best else self._copy(), "the trained weights")
        if best is None:
            return TrainedWeights(self._copy(), epochs, history)
        log.info("kept epoch %d: held-out mAP %.3f", best["epoch"], best["mAP"])
        return TrainedWeights(best["weights"], best["epoch"], history)

    def state_dict(self) -> dict[str, Tensor] | None:
        """Return the state of the average, or None."""
        return None if self._average is None else self._average.module.state_dict()

    def load_state_dict(self, state: dict[str, Tensor] | None) -> None:
        """Restore the average."""
        if self._average is not None:
            self._average.module.load_state_dict(state)

    @property
    def _kept(self) -> TrainingNetwork:
        return self._network if self._average is None else self._average.module

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self._kept.embedding.state_dict().items()}
