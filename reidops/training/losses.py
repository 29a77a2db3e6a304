"""The weighted sum of losses that a training minimises; each loss by its name in the params.

Euclidean losses (triplet, center) see the features before the neck, losses of angles the embeddings after it, in whose
space people are compared later (Luo et al. 2019); the cross-entropy sees the classifier's logits.
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

Option = float | str


class MinedLoss(nn.Module):
    """A loss of pytorch-metric-learning over the pairs or triplets that a miner of the same package chooses."""

    def __init__(self, loss: nn.Module, miner: nn.Module) -> None:
        super().__init__()
        self._loss, self._miner = loss, miner

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of features [N, D] and labels [N]."""
        return self._loss(features, labels, self._miner(features, labels))


class CenterLoss(nn.Module):
    """Mean squared distance of each feature from its person's center (Wen et al. 2016).

    The centers are no parameters: in training every call moves them by plain gradient descent at a rate of their own,
    as Luo et al. 2019 have it, after they gave the loss. They are a buffer, so a checkpoint of the losses holds them.
    """

    def __init__(self, num_people: int, dim: int, rate: float) -> None:
        super().__init__()
        self._rate = rate
        self.register_buffer("centers", torch.randn(num_people, dim))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of features [N, dim] and labels [N], and move the centers."""
        offsets = features - self.centers[labels]
        if self.training:
            self.centers.index_add_(0, labels, offsets.detach(), alpha=2 * self._rate / len(labels))
        return offsets.square().sum(dim=1).mean()


class CircleSoftmax(nn.Module):
    """Circle loss of the embedding and one learnt direction per person: its class-level form (Sun et al. 2020, eq.
    6).
    """

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
    """What a loss is computed on, how it is made, and its options with their defaults.

    `make` takes num_people, dim and the options; `compares` says that it compares crops of a batch with each other.
    """

    sees: Literal["features", "embeddings", "logits"]
    make: Callable[..., nn.Module]
    options: Mapping[str, Option] = field(default_factory=dict)
    compares: bool = False


def _cross_entropy(num_people: int, dim: int, label_smoothing: float) -> nn.Module:
    return nn.CrossEntropyLoss(label_smoothing=label_smoothing)


def _triplet(num_people: int, dim: int, margin: Option) -> nn.Module:
    """Batch-hard triplets (Hermans et al. 2017); the margin is a Euclidean distance, or "soft" for log(1 + exp(·))
    without one.
    """
    distance, soft = LpDistance(normalize_embeddings=False), margin == "soft"
    loss = pml.TripletMarginLoss(0 if soft else margin, smooth_loss=soft, distance=distance, reducer=MeanReducer())
    return MinedLoss(loss, BatchHardMiner(distance=distance))


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


# The defaults are those of the papers; for circle, Sun et al.'s for person re-identification.
LOSSES = {
    "cross-entropy": _Kind("logits", _cross_entropy, {"label_smoothing": 0.1}),
    "triplet": _Kind("features", _triplet, {"margin": "soft"}, compares=True),
    "center": _Kind("features", CenterLoss, {"rate": 0.5}),
    "circle": _Kind("embeddings", _circle, {"margin": 0.25, "scale": 128.0}, compares=True),
    "circle-softmax": _Kind("embeddings", CircleSoftmax, {"margin": 0.35, "scale": 64.0, "label_smoothing": 0.1}),
    "arcface": _Kind("embeddings", _arcface, {"margin": 0.5, "scale": 64.0}),  # the margin is an angle in radians
    "cosface": _Kind("embeddings", _cosface, {"margin": 0.35, "scale": 64.0}),
    "supcon": _Kind("embeddings", _supcon, {"temperature": 0.1}, compares=True),
    "multi-similarity": _Kind(
        "embeddings", _multi_similarity, {"alpha": 2.0, "beta": 50.0, "base": 0.5, "epsilon": 0.1}, compares=True
    ),
}


class WeightedLosses(nn.Module):
    """Sum losses by weight and report each of them.

    A loss with a classifier of its own (arcface, cosface, circle-softmax) has parameters here, which the optimiser
    takes with the network's; its state and the centers belong into a checkpoint.
    """

    def __init__(self, losses: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        self.losses, self.weights = nn.ModuleDict(losses), dict(weights)

    def forward(
        self, features: Tensor, logits: Tensor, labels: Tensor, embeddings: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum and the unweighted parts by name, without their graph.

        `features` [N, D] come before the neck, `embeddings` [N, D] after it (None: there is no neck), `logits` are
        [N, num_people]. All are of the whole batch: with several ranks, gathered from them.
        """
        seen = {"features": features, "embeddings": features if embeddings is None else embeddings, "logits": logits}
        parts = {name: loss(seen[LOSSES[name].sees], labels) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: part.detach() for name, part in parts.items()}


class BranchLosses(nn.Module):
    """The mean over a network's branches (the whole, its stripes) of a sum of losses that each branch has for
    itself.
    """

    def __init__(self, branches: list[WeightedLosses]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(
        self, features: Tensor, logits: Tensor, labels: Tensor, embeddings: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean and its unweighted parts by name; arguments as `WeightedLosses` takes them, with the branch
        as dimension 1.
        """
        told = [
            losses(branch_features, branch_logits, labels, branch_embeddings)
            for losses, branch_features, branch_logits, branch_embeddings in zip(
                self.branches, features.unbind(1), logits.unbind(1), embeddings.unbind(1), strict=True
            )
        ]
        parts = {name: torch.stack([parts[name] for _, parts in told]).mean() for name in told[0][1]}
        return torch.stack([total for total, _ in told]).mean(), parts


def build_losses(
    weights: Mapping[str, float],
    options: Mapping[str, Mapping[str, Option]] | None = None,
    *,
    num_people: int,
    dim: int,
) -> WeightedLosses:
    """Return the sum of the named losses; a weight of 0 leaves a loss out.

    Args:
        weights: loss → weight, as `check_losses` lets pass.
        options: loss → its options; those that are not named have the defaults of `LOSSES`.
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
    """Find out whether the sum of losses can be built and learnt from batches of P people × K crops.

    Raises:
        ReidopsError: a loss or an option is unknown (near names are offered), an option or a weight is none that can
            be, all weights are 0, or a loss that compares crops is asked for where a batch has one person or one crop
            of each.
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
        raise ReidopsError("the weights of all losses are 0: there is nothing to train for")
    for name in used:
        if LOSSES[name].compares and min(people_per_batch, crops_per_person) < 2:
            short = "crops_per_person" if crops_per_person < 2 else "people_per_batch"
            raise ReidopsError(
                f"{short} is 1: the loss {name!r} compares two crops of a person with another person's; set it to 2 or "
                f"more, or its weight to 0"
            )


def _check_options(name: str, values: Mapping[str, Option]) -> None:
    for option, value in values.items():
        _check_name(f"of the loss {name!r} the option", option, LOSSES[name].options)
        if isinstance(value, str):
            if (name, option, value) != ("triplet", "margin", "soft"):
                soft = ' or "soft"' if (name, option) == ("triplet", "margin") else ""
                raise ReidopsError(f"{option} of the loss {name!r} is {value!r}, expected a number{soft}")
        elif option == "label_smoothing" and not 0 <= value < 1:
            raise ReidopsError(f"label_smoothing of the loss {name!r} is {value}, expected 0 … 1, 1 left out")


def _check_name(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
        told = f"did you mean {' or '.join(near)}" if near else f"known: {', '.join(known)}"
        raise ReidopsError(f"{what} {name!r} is unknown; {told}")
