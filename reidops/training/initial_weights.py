"""The weights from which a training starts: a file, timm's published weights, or random ones."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from reidops.datasets.origin import Origin, origin_of_start
from reidops.embedding.network import EmbeddingNetwork
from reidops.training.starts import are_in_order, find_weights
from reidops.training.weights import load_weights


@dataclass(frozen=True)
class InitialWeights:
    """The weights from which a training starts.

    Attributes:
        backbone: name of the backbone.
        pretrained: whether the backbone has timm's published weights.
        weights: a path, `package:NAME` or `zoo:NAME`, see `find_weights`; None = no file.
        weights_match: see `load_weights`.
    """

    backbone: str
    pretrained: bool
    weights: str | None
    weights_match: Literal["exact", "fitting"]

    @cached_property
    def file(self) -> Path | None:
        """Return the file of the weights, which is fetched if it is a published one; None without a file.

        Raises:
            ReidopsError: see `find_weights`.
        """
        return find_weights(self.weights, self.backbone) if self.weights else None

    @property
    def origin(self) -> Origin:
        """Return the known training data of the weights."""
        return origin_of_start(self.file, pretrained=self.pretrained)

    def load_into(self, network: EmbeddingNetwork) -> None:
        """Load the file into a network; without a file the network keeps its weights.

        Raises:
            ReidopsError: the file is missing or does not fit, see `load_weights`.
        """
        if self.file is not None:
            load_weights(network, self.file, in_order=are_in_order(str(self.weights)), match=self.weights_match)
