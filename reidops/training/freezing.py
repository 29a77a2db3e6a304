"""Freeze modules of a network for some epochs or for the whole training."""

import difflib
from collections.abc import Sequence

from torch import nn

from reidops.embedding.network import EmbeddingNetwork, TrainingNetwork
from reidops.errors import ReidopsError

BACKBONE = "backbone"
_CLASSIFIER = "classifier"

Freeze = str | Sequence[str] | None
"""None = nothing is frozen; "backbone" = the backbone is frozen; or the names of the only modules that are trained,
such as `classifier`, `neck`, `projection`, `backbone.layer4`.
"""


class Freezing:
    """Freeze and unfreeze the parameters of a network by epoch.

    `TrainingNetwork.train` keeps frozen modules in evaluation mode, so that their batch normalization does not update
    its statistics.

    Args:
        network: a network in which all parameters that are ever trained require gradients, as an optimizer needs it.
        freeze: the modules to freeze.
        epochs: number of epochs, from the first, for which they are frozen; 0 = all.

    Raises:
        ReidopsError: a module name is unknown, or no parameter would be trained.
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
                f"train.freeze is {freeze}, so that no weight would be trained; name a module with weights, such as "
                "classifier"
            )

    def apply(self, epoch: int) -> None:
        """Freeze or unfreeze the modules for `epoch` (0, 1, …).

        Call it before every epoch and after the optimizer was built.
        """
        for parameter in self._frozen:
            parameter.requires_grad_(0 < self._epochs <= epoch)
            parameter.grad = None
        self._network.train(self._network.training)


def check_freeze(network: EmbeddingNetwork, freeze: Freeze) -> None:
    """Check that `freeze` is valid for this network.

    Raises:
        ReidopsError: it is another string than backbone, or a module name is unknown; similar names are suggested.
    """
    if isinstance(freeze, str) and freeze != BACKBONE:
        raise ReidopsError(f"train.freeze is {freeze!r}, expected null, {BACKBONE}, or a list of the modules to train")
    known = [_CLASSIFIER, *(name for name, _ in network.named_modules() if name)]
    for name in () if isinstance(freeze, str) else freeze or ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=5, cutoff=0.4)
            raise ReidopsError(
                f"train.freeze: the network has no module {name!r}; similar names: "
                f"{', '.join(near) or 'classifier, neck'}"
            )


def _open_modules(network: TrainingNetwork, freeze: Freeze) -> list[nn.Module]:
    """Return the modules that are trained from the first epoch."""
    if freeze is None:
        return [network]
    if freeze == BACKBONE:
        return [
            network.classifier,
            *(module for name, module in network.embedding.named_children() if name != BACKBONE),
        ]
    return [network.classifier if name == _CLASSIFIER else network.embedding.get_submodule(name) for name in freeze]
