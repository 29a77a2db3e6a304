"""Translate the weights of a backbone's authors into timm's names and into the size of the network's input."""

import logging
import math
import sys
from collections.abc import Mapping

from timm.layers import resample_abs_pos_embed
from timm.models import model_entrypoint
from torch import Tensor, nn

log = logging.getLogger(__name__)

# The head of mmdetection's ReID models, and where a network with `hidden_dim` has these layers.
_MMDETECTION_HEAD = {
    "head.fcs.0.fc.": "projection.0.",
    "head.fcs.0.bn.": "projection.1.",
    "head.fcs.0.bn1.": "projection.1.",
    "head.fc_out.": "projection.3.",
    "head.bn.": "neck.",
}
# What timm's functions raise for weights of another architecture; such weights stay untranslated.
_FOREIGN = (AssertionError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)


def translate(backbone: nn.Module, name: str, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor] | None:
    """Return the tensors under timm's names, position embeddings resized to the backbone's input; None = not possible.

    Args:
        name: of the backbone in timm. timm has a function for the published weights of this architecture, or none.
    """
    module = sys.modules[model_entrypoint(name.partition(".")[0]).__module__]
    to_timm = getattr(module, "checkpoint_filter_fn", None)
    if to_timm is None:
        return None
    try:
        return to_timm(_with_resized_positions(backbone, tensors), backbone)
    except _FOREIGN as error:
        log.debug("the weights are not translated for %s: %s", name, error)
        return None


def rename_mmdetection(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the tensors with the names of this package for the layers of mmdetection's ReID head, if any."""
    if not any(name.startswith("head.fcs.0.") for name in tensors):
        return tensors
    return {_renamed(name): values for name, values in tensors.items()}


def _renamed(name: str) -> str:
    start = next((start for start in _MMDETECTION_HEAD if name.startswith(start)), "")
    return _MMDETECTION_HEAD.get(start, "") + name.removeprefix(start)


def _with_resized_positions(backbone: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors, position embeddings of an image that is not square resized to the backbone's grid.

    timm resizes those of square images. The shape of the other grid is not in the tensor; the one that is nearest to
    the proportions of the backbone's grid is taken.
    """
    grid = getattr(getattr(backbone, "patch_embed", None), "grid_size", None)
    positions = tensors.get("pos_embed")
    if grid is None or positions is None or positions.shape == backbone.pos_embed.shape:
        return dict(tensors)
    prefix = 0 if getattr(backbone, "no_embed_class", False) else backbone.num_prefix_tokens
    num = positions.shape[1] - prefix
    if math.isqrt(num) ** 2 == num:
        return dict(tensors)
    wanted = math.sqrt(num * grid[0] / grid[1])  # rows of a grid with the proportions of the backbone's
    rows = min((r for r in range(1, num + 1) if num % r == 0), key=lambda r: abs(math.log(r / wanted)))
    resized = resample_abs_pos_embed(positions, list(grid), [rows, num // rows], num_prefix_tokens=prefix)
    return {**tensors, "pos_embed": resized}


def rename_in_order(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return the tensors under the expected names, in their order; None if an ending of a name or a shape differs.

    The tensors of a classifier at the end may be additional. Counts of batches are left out.
    """
    given, wanted = (
        [(name, values) for name, values in group.items() if not name.endswith("num_batches_tracked")]
        for group in (tensors, expected)
    )
    pairs = list(zip(given, wanted, strict=False))
    fit = all(
        theirs.rpartition(".")[2] == ours.rpartition(".")[2] and values.shape == place.shape
        for (theirs, values), (ours, place) in pairs
    )
    if not fit or len(given) - len(wanted) not in (0, 2):
        return None
    return {ours: values for (_, values), (ours, _) in pairs}
