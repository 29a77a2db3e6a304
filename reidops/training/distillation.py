"""Train a network to embed as a teacher does: the losses, and the teacher on the batches of its student."""

import difflib
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from reidops.embedding.network import EmbeddingNetwork
from reidops.embedding.pooling import pool_frames
from reidops.errors import ReidopsError

SIMILARITY, FEATURES = "similarity", "features"


class Teacher:
    """A trained network that embeds the augmented inputs of its student.

    Args:
        size: height and width of the teacher's input, px; inputs of another size are resized.
        student: whose mean and standard deviation the inputs have.
    """

    def __init__(self, network: EmbeddingNetwork, size: tuple[int, int], student: EmbeddingNetwork) -> None:
        self._network, self._size = network.eval().requires_grad_(False), size
        own, given = ((torch.tensor(n.mean), torch.tensor(n.std)) for n in (network, student))
        # (x · std + mean − teacher's mean) / teacher's std
        self._scale = (given[1] / own[1]).view(3, 1, 1)
        self._shift = ((given[0] - own[0]) / own[1]).view(3, 1, 1)

    @property
    def dim(self) -> int:
        """Return the length of an embedding."""
        return self._network.dim

    def to(self, device: torch.device) -> "Teacher":
        """Return the teacher, moved to a device."""
        self._network.to(device, memory_format=torch.channels_last)
        self._scale, self._shift = self._scale.to(device), self._shift.to(device)
        return self

    @torch.no_grad()
    def embed(self, inputs: Tensor, frames: int = 1) -> Tensor:
        """Return unit embeddings [N / frames, dim] of the student's inputs [N, 3, H, W].

        Args:
            frames: successive crops that are one tracklet, whose embeddings are averaged.
        """
        own = inputs * self._scale + self._shift
        if own.shape[2:] != self._size:
            own = functional.interpolate(own, self._size, mode="bilinear", align_corners=False, antialias=True)
        embeddings = self._network.embed(own)
        return functional.normalize(pool_frames(embeddings, frames, "mean")) if frames > 1 else embeddings


class Distillation(nn.Module):
    """The weighted sum of the losses between the embeddings of a student and of its teacher.

    similarity: the mean squared difference of the cosines of all pairs of different crops in the batch (relations
        between crops, after Tung & Mori 2019), which needs no equal dimensions.
    features: 1 − the cosine of the teacher's embedding and a learned projection of the student's.
    """

    def __init__(self, weights: Mapping[str, float], dim: int, teacher_dim: int) -> None:
        super().__init__()
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        if FEATURES in self._weights:
            self.projection = nn.Linear(dim, teacher_dim, bias=False)

    def forward(self, embeddings: Tensor, taught: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum, and the unweighted losses by name without their graph.

        Args:
            embeddings: of the student, [N, dim]; `taught` are unit embeddings of the teacher, [N, teacher_dim].
        """
        taught = taught.float()
        values = {name: getattr(self, f"_{name}")(embeddings.float(), taught) for name in self._weights}
        total = torch.stack([self._weights[name] * value for name, value in values.items()]).sum()
        return total, {f"teacher_{name}": value.detach() for name, value in values.items()}

    def _similarity(self, embeddings: Tensor, taught: Tensor) -> Tensor:
        unit = functional.normalize(embeddings)
        difference = (unit @ unit.T - taught @ taught.T).square()
        return difference.sum() / (len(unit) * (len(unit) - 1))  # the diagonal is 0

    def _features(self, embeddings: Tensor, taught: Tensor) -> Tensor:
        return (1 - (functional.normalize(self.projection(embeddings)) * taught).sum(dim=1)).mean()


def check_distillation(weights: Mapping[str, float]) -> None:
    """Check the names and weights of `train.teacher_losses`.

    Raises:
        ReidopsError: a name is unknown, or no weight is above 0.
    """
    known = (SIMILARITY, FEATURES)
    for name in weights:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4) or known
            raise ReidopsError(f"train.teacher_losses: {name!r} is unknown; known: {', '.join(near)}")
    if not any(weight > 0 for weight in weights.values()):
        raise ReidopsError("train.teacher_losses: no weight is above 0; set one, or set train.teacher to null")
