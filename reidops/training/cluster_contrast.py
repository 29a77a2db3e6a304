"""Contrast crops with a memory that has one entry per class (Dai et al. 2021, Cluster Contrast)."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Update = Literal["mean", "hard", "each"]
_UNSEEN = -1


class ClusterContrast(nn.Module):
    """InfoNCE between the embeddings of crops and the entries of all classes.

    In training every call updates the entries of the batch's classes after computing the loss, so entries get no
    gradient: entry ← normalized (momentum · entry + (1 − momentum) · crop). The entries are a buffer, so checkpoints of
    the losses include them. An entry of zeros takes the first crops of its class.

    Args:
        num_people: number of classes, C.
        dim: width of the embeddings.
        temperature: of the softmax over the entries.
        momentum: share of an entry that an update keeps.
        update: the mean of the class's crops in the batch, the crop that is least similar to the entry, or each crop in
            turn.
        rival_weight: weight of a class's rivals in the denominator of the softmax, see `start`.
    """

    def __init__(
        self,
        num_people: int,
        dim: int,
        *,
        temperature: float = 0.05,
        momentum: float = 0.1,
        update: Update = "mean",
        rival_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self._temperature, self._momentum, self._update = temperature, momentum, update
        self._bonus = math.log(rival_weight)
        self.register_buffer("entries", torch.zeros(num_people, dim))
        self.register_buffer("others", torch.zeros(0, dim), persistent=False)
        self.register_buffer("rivals", torch.full((num_people, 0), _UNSEEN), persistent=False)

    def start(self, entries: Tensor, others: Tensor | None = None, rivals: Tensor | None = None) -> None:
        """Set the entries, and what is certainly not of a class.

        Args:
            entries: unit rows, [C, dim].
            others: unit rows outside all classes, which never change, [E, dim].
            rivals: numbers of entries (0 … C − 1) and of others (C … C + E − 1) that are certainly other people than
                each class, −1 = none, [C, M]. An entry counts `rival_weight` times in the denominator. Others are in
                the denominators of the classes that name them only.
        """
        self.entries.copy_(entries)
        if others is not None:
            self.others = others.to(self.entries)
        if rivals is not None:
            self.rivals = rivals.to(self.entries.device)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings [N, dim] and labels [N]; in training also update the entries."""
        units = functional.normalize(embeddings.float())
        logits = units @ torch.cat([self.entries, self.others]).T / self._temperature
        loss = functional.cross_entropy(logits + self._offsets(labels), labels)
        if self.training:
            renew(self.entries, units.detach(), labels, self._momentum, self._update)
        return loss

    def _offsets(self, labels: Tensor) -> Tensor:
        """Return what is added to the logits of each crop, [N, C + E]: −∞ for others that are no rivals."""
        num_entries, num_others = len(self.entries), len(self.others)
        offsets = torch.zeros(len(labels), num_entries + num_others + 1, device=labels.device)
        offsets[:, num_entries:] = -torch.inf
        # The last column takes the places without a rival.
        places = self.rivals[labels]
        offsets.scatter_(1, torch.where(places < 0, num_entries + num_others, places), self._bonus)
        return offsets[:, :-1]


@torch.no_grad()
def renew(entries: Tensor, units: Tensor, labels: Tensor, momentum: float, update: Update) -> None:
    """Move the entries [C, dim] of the classes of a batch towards its crops, in place.

    Args:
        units: unit embeddings, [N, dim].
        labels: their classes, 0 … C − 1, [N].
        momentum: share of an entry that an update keeps.
        update: as in `ClusterContrast`.
    """
    classes, own = torch.unique(labels, return_inverse=True)
    if update == "mean":
        steps = [(classes, _means(units, own, len(classes)))]
    elif update == "hard":
        steps = [(classes, units[_hardest(units, entries[labels], own, len(classes))])]
    else:
        steps = [(labels[rows], units[rows]) for rows in _in_turn(own)]
    for numbers, new in steps:
        entries[numbers] = functional.normalize(momentum * entries[numbers] + (1 - momentum) * new)


def _means(units: Tensor, own: Tensor, num: int) -> Tensor:
    sums = torch.zeros(num, units.shape[1], device=units.device).index_add_(0, own, units)
    return sums / torch.bincount(own, minlength=num)[:, None]


def _hardest(units: Tensor, entries: Tensor, own: Tensor, num: int) -> Tensor:
    """Return the crop of each class that is least similar to its entry, [num]."""
    similar = (units * entries).sum(dim=1)
    is_own = torch.arange(num, device=own.device)[:, None] == own
    return torch.where(is_own, similar, torch.inf).argmin(dim=1)


def _in_turn(own: Tensor) -> list[Tensor]:
    """Return the first crops of all classes, then the second ones, and so on."""
    order = torch.argsort(own, stable=True)
    counts = torch.bincount(own)
    turns = torch.arange(len(own), device=own.device) - (torch.cumsum(counts, 0) - counts)[own[order]]
    return [order[turns == turn] for turn in range(int(counts.max()))]
