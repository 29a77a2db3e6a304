"""Freezing: parts of a network that do not learn, for a while or to the end."""

import difflib
from collections.abc import Sequence

from torch import nn

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError

BACKBONE = "backbone"
_CLASSIFIER = "classifier"

Freeze = str | Sequence[str] | None
"""None = everything learns; "backbone" = the backbone does not; or the names of the only modules that learn, as
`classifier`, `neck`, `projection`, `backbone.layer4`.
"""


class Freezing:
    """Say what of a network learns in which epoch.

    `TrainingNetwork.train` keeps what is frozen in evaluation mode, so that its batch normalisation gathers no
    statistics.

    Args:
        network: with everything that is ever to learn still learning, as an optimizer wants to see it when it is built.
        freeze: what is frozen.
        epochs: that this holds for, from the first; 0 = to the end.

    Raises:
        ReidopsError: a name is of no module, or nothing would learn.
    """

    def __init__(self, network: TrainingNetwork, freeze: Freeze, epochs: int = 0) -> None:
        check_freeze(network.embedding, freeze)
        self._network, self._epochs = network, epochs
        learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
        open_modules = _open_modules(network, freeze)
        opened = {id(parameter) for module in open_modules for parameter in module.parameters()}
        self._frozen = [parameter for parameter in learning if id(parameter) not in opened]
        if len(self._frozen) == len(learning):
            raise ReidopsError(
                f"train.freeze is {freeze}: nothing would learn; name a module with weights, as classifier"
            )

    def apply(self, epoch: int) -> None:
        """Let learn what is to learn in `epoch` (0, 1, …): call it before every epoch, after the optimizer was
        built.
        """
        for parameter in self._frozen:
            parameter.requires_grad_(0 < self._epochs <= epoch)
            parameter.grad = None
        self._network.train(self._network.training)


def check_freeze(network: EmbeddingNetwork, freeze: Freeze) -> None:
    """Find out, before anything else is made, whether `freeze` says something of this network.

    Raises:
        ReidopsError: it is another word than backbone, or a name is of no module; near names are offered.
    """
    if isinstance(freeze, str) and freeze != BACKBONE:
        raise ReidopsError(
            f"train.freeze is {freeze!r}, expected null, {BACKBONE}, or a list of the modules that alone learn"
        )
    known = [_CLASSIFIER, *(name for name, _ in network.named_modules() if name)]
    for name in () if isinstance(freeze, str) else freeze or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
            raise ReidopsError(
                f"train.freeze names {name!r}, which is no module of this network; near: "
                f"{', '.join(near) or 'classifier, neck'}"
            )


def _open_modules(network: TrainingNetwork, freeze: Freeze) -> list[nn.Module]:
    """Return the modules that learn from the first epoch."""
    if freeze is None:
        return [network]
    if freeze == BACKBONE:
        return [
            network.classifier,
            *(module for name, module in network.embedding.named_children() if name != BACKBONE),
        ]
    return [network.classifier if name == _CLASSIFIER else network.embedding.get_submodule(name) for name in freeze]
