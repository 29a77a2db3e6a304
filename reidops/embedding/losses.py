"""The weighted sum of losses that a training minimises; each loss by its name in the params."""

import difflib
from collections.abc import Callable, Mapping

import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor, nn

from reidops.errors import ReidopsError


class IdentityLoss(nn.Module):
    """Cross-entropy of the classifier's logits, with label smoothing in 0 … 1."""

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self._cross_entropy = nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def forward(self, features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the batch; `features` [N, D] play no part, `logits` are [N, num_people]."""
        return self._cross_entropy(logits, labels)


class TripletLoss(nn.Module):
    """Batch-hard triplet loss on Euclidean distances of the features before the neck (Hermans et al. 2017).

    Args:
        margin: a distance, or "soft" for log(1 + exp(·)) without a margin.
    """

    def __init__(self, margin: float | str) -> None:
        super().__init__()
        distance = LpDistance(normalize_embeddings=False)
        soft = margin == "soft"
        self._miner = BatchHardMiner(distance=distance)
        self._loss = TripletMarginLoss(0 if soft else margin, smooth_loss=soft, distance=distance, reducer=MeanReducer())

    def forward(self, features: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the anchors, each with its farthest positive and nearest negative."""
        return self._loss(features, labels, self._miner(features, labels))


class WeightedLosses(nn.Module):
    """Sum losses by weight and report each of them."""

    def __init__(self, losses: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.losses, self.weights = nn.ModuleDict(losses), dict(weights)

    def forward(self, features: Tensor, logits: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum and the unweighted parts by name, without their graph."""
        parts = {name: loss(features, logits, labels) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: part.detach() for name, part in parts.items()}


def build_losses(
    weights: Mapping[str, float], *, label_smoothing: float, triplet_margin: float | str, crops_per_person: int
) -> WeightedLosses:
    """Return the sum of the named losses; a weight of 0 leaves a loss out.

    Raises:
        ReidopsError: a name is unknown (near names are offered), a weight is negative or all are 0, or a triplet loss is
            asked for batches without two crops of a person.
    """
    makers: dict[str, Callable[[], nn.Module]] = {
        "id": lambda: IdentityLoss(label_smoothing),
        "triplet": lambda: TripletLoss(triplet_margin),
    }
    for name, weight in weights.items():
        if name not in makers:
            near = difflib.get_close_matches(name, makers, cutoff=0.4)
            raise ReidopsError(f"the loss {name!r} is unknown; {'did you mean ' + near[0] if near else 'known: ' + ', '.join(makers)}")
        if weight < 0:
            raise ReidopsError(f"the weight of the loss {name!r} is {weight}, expected 0 or more")
    used = {name: weight for name, weight in weights.items() if weight > 0}
    if not used:
        raise ReidopsError("the weights of all losses are 0: there is nothing to train for")
    if "triplet" in used and crops_per_person < 2:
        raise ReidopsError("crops_per_person is 1: a triplet needs two crops of a person; set it to 2 or more, or triplet_weight to 0")
    return WeightedLosses({name: makers[name]() for name in used}, used)
