"""Build the weighted sum of losses of a training from their names in the params.

Euclidean losses (triplet, center) are computed on the features before the neck. Angular losses are computed on the
embeddings after it, which are also used for retrieval (Luo et al. 2019). Cross-entropy is computed on the logits.
"""

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from pytorch_metric_learning import losses as pml
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.miners import BatchHardMiner, MultiSimilarityMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor, nn
from torch.nn import functional

from reidops.errors import ReidopsError
from reidops.training.cluster_contrast import ClusterContrast

Option = float | str


class MinedLoss(nn.Module):
    """A loss of pytorch-metric-learning on the pairs or triplets of a miner of the same package."""

    def __init__(self, loss: nn.Module, miner: nn.Module) -> None:
        super().__init__()
        self._loss, self._miner = loss, miner

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of features [N, D] and labels [N]."""
        return self._loss(features, labels, self._miner(features, labels))


class CenterLoss(nn.Module):
    """Mean squared distance of each feature from its person's center (Wen et al. 2016).

    The centers are not parameters. In training every call updates them after computing the loss, by plain gradient
    descent with their own rate, as in Luo et al. 2019. They are a buffer, so checkpoints of the losses include them.
    """

    def __init__(self, num_people: int, dim: int, rate: float) -> None:
        super().__init__()
        self._rate = rate
        self.register_buffer("centers", torch.randn(num_people, dim))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of features [N, dim] and labels [N]; in training also update the centers."""
        offsets = features - self.centers[labels]
        if self.training:
            self.centers.index_add_(0, labels, offsets.detach(), alpha=2 * self._rate / len(labels))
        return offsets.square().sum(dim=1).mean()


class WeightedRegularizedTriplet(nn.Module):
    """The weighted regularized triplet loss of AGW (Ye et al. 2021, "Deep Learning for Person Re-identification").

    Each crop is compared with all crops of the batch. Its distance to those of its person is an average in which large
    distances have large weights, and its distance to those of other people an average in which small ones have. The
    weights are a softmax of the Euclidean distances and of their negatives. There is no margin.
    """

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean of log(1 + exp(own − other)) of features [N, D] and labels [N].

        Crops without another crop of their person, or without another person, are left out.
        """
        distances = torch.cdist(features.float(), features.float(), compute_mode="donot_use_mm_for_euclid_dist")
        same = labels[:, None] == labels
        positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        used = positive.any(dim=1) & ~same.all(dim=1)
        if not used.any():
            return 0 * features.sum()
        own = _softmax_mean(distances[used], distances[used], positive[used])
        other = _softmax_mean(distances[used], -distances[used], ~same[used])
        return functional.softplus(own - other).mean()


def _softmax_mean(values: Tensor, exponents: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the masked values of each row, weighted by the softmax of their exponents, all [N, M]."""
    return (exponents.masked_fill(~mask, -math.inf).softmax(dim=1) * values).sum(dim=1)


class CircleSoftmax(nn.Module):
    """Circle loss with class-level labels: embeddings and one learned direction per person (Sun et al. 2020, eq. 6)."""

    def __init__(self, num_people: int, dim: int, margin: float, scale: float, label_smoothing: float) -> None:
        super().__init__()
        self._margin, self._scale, self._smoothing = margin, scale, label_smoothing
        self.weight = nn.Parameter(0.01 * torch.randn(num_people, dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy of the re-weighted cosines of embeddings [N, dim] and the people's directions."""
        cosines = functional.linear(functional.normalize(embeddings), functional.normalize(self.weight))
        fixed, margin = cosines.detach(), self._margin
        own = (1 + margin - fixed).relu() * (cosines - (1 - margin))
        other = (margin + fixed).relu() * (cosines - margin)
        is_own = functional.one_hot(labels, len(self.weight)).bool()
        return functional.cross_entropy(
            self._scale * torch.where(is_own, own, other), labels, label_smoothing=self._smoothing
        )


@dataclass(frozen=True)
class _Kind:
    """The input of a loss, its constructor, and its options with their defaults.

    `make` takes num_people, dim and the options; `compares` is true if the loss compares crops of a batch.
    """

    sees: Literal["features", "embeddings", "logits"]
    make: Callable[..., nn.Module]
    options: Mapping[str, Option] = field(default_factory=dict)
    compares: bool = False


def _cross_entropy(num_people: int, dim: int, label_smoothing: float) -> nn.Module:
    return nn.CrossEntropyLoss(label_smoothing=label_smoothing)


def _triplet(num_people: int, dim: int, margin: Option) -> nn.Module:
    """Return the batch-hard triplet loss (Hermans et al. 2017).

    The margin is a Euclidean distance, or "soft" for log(1 + exp(·)).
    """
    distance, soft = LpDistance(normalize_embeddings=False), margin == "soft"
    loss = pml.TripletMarginLoss(0 if soft else margin, smooth_loss=soft, distance=distance, reducer=MeanReducer())
    return MinedLoss(loss, BatchHardMiner(distance=distance))


def _weighted_triplet(num_people: int, dim: int) -> nn.Module:
    return WeightedRegularizedTriplet()


def _random_triplet(num_people: int, dim: int, margin: float) -> nn.Module:
    """Return the triplet loss on one drawn triplet per anchor; the margin is a Euclidean distance."""
    distance = LpDistance(normalize_embeddings=False)
    return pml.TripletMarginLoss(margin, distance=distance, reducer=MeanReducer(), triplets_per_anchor=1)


def _circle(num_people: int, dim: int, margin: float, scale: float) -> nn.Module:
    return pml.CircleLoss(m=margin, gamma=scale, reducer=MeanReducer())


def _arcface(num_people: int, dim: int, margin: float, scale: float) -> nn.Module:
    return pml.ArcFaceLoss(num_people, dim, margin=math.degrees(margin), scale=scale)


def _cosface(num_people: int, dim: int, margin: float, scale: float) -> nn.Module:
    return pml.CosFaceLoss(num_people, dim, margin=margin, scale=scale)


def _supcon(num_people: int, dim: int, temperature: float) -> nn.Module:
    return pml.SupConLoss(temperature=temperature, reducer=MeanReducer())


def _multi_similarity(num_people: int, dim: int, alpha: float, beta: float, base: float, epsilon: float) -> nn.Module:
    return MinedLoss(pml.MultiSimilarityLoss(alpha=alpha, beta=beta, base=base), MultiSimilarityMiner(epsilon=epsilon))


# The defaults are those of the papers; for circle those of Sun et al. for person re-identification.
LOSSES = {
    "cross-entropy": _Kind("logits", _cross_entropy, {"label_smoothing": 0.1}),
    "triplet": _Kind("features", _triplet, {"margin": "soft"}, compares=True),
    "weighted-triplet": _Kind("features", _weighted_triplet, compares=True),
    "triplet-random": _Kind("features", _random_triplet, {"margin": 1.0}, compares=True),
    "center": _Kind("features", CenterLoss, {"rate": 0.5}),
    "circle": _Kind("embeddings", _circle, {"margin": 0.25, "scale": 128.0}, compares=True),
    "circle-softmax": _Kind("embeddings", CircleSoftmax, {"margin": 0.35, "scale": 64.0, "label_smoothing": 0.1}),
    "arcface": _Kind("embeddings", _arcface, {"margin": 0.5, "scale": 64.0}),  # the margin is an angle in radians
    "cosface": _Kind("embeddings", _cosface, {"margin": 0.35, "scale": 64.0}),
    "supcon": _Kind("embeddings", _supcon, {"temperature": 0.1}, compares=True),
    "multi-similarity": _Kind(
        "embeddings", _multi_similarity, {"alpha": 2.0, "beta": 50.0, "base": 0.5, "epsilon": 0.1}, compares=True
    ),
    "cluster-contrast": _Kind("embeddings", ClusterContrast, {"temperature": 0.05, "momentum": 0.1}),
}


class WeightedLosses(nn.Module):
    """The weighted sum of losses.

    Losses with their own classifier (arcface, cosface, circle-softmax) have parameters, which are optimized together
    with the network. Their state and the centers must be part of a checkpoint.
    """

    def __init__(self, losses: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.losses, self.weights = nn.ModuleDict(losses), dict(weights)

    def forward(
        self, features: Tensor, logits: Tensor, labels: Tensor, embeddings: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum, and the unweighted losses by name without their graph.

        `features` [N, D] are the output before the neck, `embeddings` [N, D] after it (None = no neck), `logits` are
        [N, num_people]. All are of the whole batch, gathered from all ranks.
        """
        inputs = {"features": features, "embeddings": features if embeddings is None else embeddings, "logits": logits}
        values = {name: loss(inputs[LOSSES[name].sees], labels) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return total, {name: value.detach() for name, value in values.items()}


class BranchLosses(nn.Module):
    """The mean of the losses of a network's branches (global and stripes); each branch has its own losses.

    `distillation` compares the joined branches with a teacher's embeddings, and is added.
    """

    def __init__(self, branches: list[WeightedLosses], distillation: nn.Module | None = None) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        if distillation is not None:
            self.distillation = distillation

    def forward(
        self, features: Tensor, logits: Tensor, labels: Tensor, embeddings: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean of the weighted sums, and the unweighted losses by name.

        The arguments are those of `WeightedLosses` with the branch as dimension 1.
        """
        results = [
            losses(branch_features, branch_logits, labels, branch_embeddings)
            for losses, branch_features, branch_logits, branch_embeddings in zip(
                self.branches, features.unbind(1), logits.unbind(1), embeddings.unbind(1), strict=True
            )
        ]
        values = {name: torch.stack([of_branch[name] for _, of_branch in results]).mean() for name in results[0][1]}
        return torch.stack([total for total, _ in results]).mean(), values


def build_losses(
    weights: Mapping[str, float],
    options: Mapping[str, Mapping[str, Option]] | None = None,
    *,
    num_people: int,
    dim: int,
) -> WeightedLosses:
    """Return the weighted sum of losses; losses of weight 0 are left out.

    Args:
        weights: loss → weight, valid by `check_losses`.
        options: loss → its options; missing ones have the defaults of `LOSSES`.
        num_people: labels are 0 … num_people − 1.
        dim: width of features and embeddings.
    """
    used = {name: weight for name, weight in weights.items() if weight > 0}
    chosen = {name: {**LOSSES[name].options, **(options or {}).get(name, {})} for name in used}
    return WeightedLosses({name: LOSSES[name].make(num_people, dim, **chosen[name]) for name in used}, used)


def check_losses(
    weights: Mapping[str, float],
    options: Mapping[str, Mapping[str, Option]],
    *,
    people_per_batch: int,
    crops_per_person: int,
) -> None:
    """Check that the losses can be built and trained with batches of P people × K crops.

    Raises:
        ReidopsError: a loss or an option is unknown (similar names are suggested), an option or a weight is invalid,
            all weights are 0, or a loss compares crops but a batch has one person or one crop per person.
    """
    for name in (*weights, *options):
        _check_name("the loss", name, LOSSES)
    for name, values in options.items():
        _check_options(name, values)
    for name, weight in weights.items():
        if weight < 0:
            raise ReidopsError(f"the weight of the loss {name!r} is {weight}, expected 0 or more")
    used = [name for name, weight in weights.items() if weight > 0]
    if not used:
        raise ReidopsError("the weights of all losses are 0; set at least one weight of train.losses above 0")
    for name in used:
        if LOSSES[name].compares and min(people_per_batch, crops_per_person) < 2:
            short = "crops_per_person" if crops_per_person < 2 else "people_per_batch"
            raise ReidopsError(
                f"{short} is 1, but the loss {name!r} compares two crops of a person with another person's; set "
                f"{short} to 2 or more, or the weight of the loss to 0"
            )


def _check_options(name: str, values: Mapping[str, Option]) -> None:
    for option, value in values.items():
        _check_name(f"the option of the loss {name!r}", option, LOSSES[name].options)
        if isinstance(value, str):
            if (name, option, value) != ("triplet", "margin", "soft"):
                soft = ' or "soft"' if (name, option) == ("triplet", "margin") else ""
                raise ReidopsError(f"{option} of the loss {name!r} is {value!r}, expected a number{soft}")
        elif option == "label_smoothing" and not 0 <= value < 1:
            raise ReidopsError(f"label_smoothing of the loss {name!r} is {value}, expected 0 ≤ value < 1")


def _check_name(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known names: {', '.join(known)}"
        raise ReidopsError(f"{what} {name!r} is unknown; {hint}")
