"""Lightweight multi-branch network (Herzog et al. 2021, LightMBN, with OSNet) for timm.

Importing this module registers lmbn_n. The attributes have the names of the weights that the authors publish.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from reidops.embedding.osnet import OSBlock, OSNet
from reidops.embedding.published_network import PublishedNetwork, config

NUM_BRANCHES = 7
_WIDTH = 512
_DROPPED = 0.33  # share of the rows that are dropped in training
_NECKS = (
    "reduction_0",
    "reduction_4",
    "reduction_1",
    "reduction_2",
    "reduction_3",
    "reduction_ch_0",
    "reduction_ch_1",
)  # of the authors, in the order of the branches


class Reduction(nn.Module):
    """A pointwise convolution of a pooled map, without a normalization: that is the neck's."""

    def __init__(self) -> None:
        super().__init__()
        self.reduction = nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False)

    def forward(self, pooled: Tensor) -> Tensor:
        """Return vectors [N, 512] of pooled maps [N, 512, 1, 1]."""
        return self.reduction(pooled).flatten(1)


class TopDrop(nn.Module):
    """An omni-scale block, and in training a mask of its most active rows (Quispe & Pedrini 2020, Top-DB-Net)."""

    def __init__(self) -> None:
        super().__init__()
        self.drop_batch_bottleneck = OSBlock(_WIDTH, _WIDTH)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's maps with and without the dropped rows, [N, 512, h, w] both."""
        maps = self.drop_batch_bottleneck(maps)
        return (maps * self._mask(maps) if self.training else maps), maps

    @staticmethod
    def _mask(maps: Tensor) -> Tensor:
        """Return 0 for the third of the rows whose largest activation is highest, else 1, [N, 1, h, 1]."""
        strength = maps.detach().square().sum(dim=1).amax(dim=2)
        dropped = strength.topk(round(_DROPPED * maps.shape[2]), dim=1).indices
        return torch.ones_like(strength).scatter(1, dropped, 0.0)[:, None, :, None]


class LMBN(PublishedNetwork):
    """A global, a part and a channel branch behind the first layers of OSNet ×1.0, with seven vectors of 512 values.

    They are: the mean of the global maps and the maximum without the most active rows; the maximum of the part maps and
    the means of their upper and lower half; and of the means of the channel maps the first and the second half, by a
    shared layer.
    """

    has_own_pooling = True
    num_branches = NUM_BRANCHES

    def __init__(self, *, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "avg", **_: Any) -> None:
        super().__init__(NUM_BRANCHES * _WIDTH, num_classes, global_pool)
        whole = OSNet((64, 256, 384, _WIDTH), num_classes=0, in_chans=in_chans, global_pool="")
        self.backone = nn.Sequential(whole.conv1, whole.maxpool, whole.conv2, whole.conv3[0])
        branch = nn.Sequential(whole.conv3[1:], whole.conv4, whole.conv5)
        self.global_branch, self.partial_branch, self.channel_branch = (deepcopy(branch) for _ in range(3))
        for number in range(5):
            self.add_module(f"reduction_{number}", Reduction())
        half = nn.Conv2d(_WIDTH // 2, _WIDTH, 1, bias=False)
        self.shared = nn.Sequential(half, nn.BatchNorm2d(_WIDTH), nn.ReLU(inplace=True))
        self.batch_drop_block = TopDrop()

    def forward_features(self, images: Tensor) -> Tensor:
        """Return the concatenated vectors of the branches, [N, 7 · 512]."""
        maps = self.backone(images)
        dropped, whole = self.batch_drop_block(self.global_branch(maps))
        parts = self.partial_branch(maps)
        upper, lower = _mean_of_halves(parts)
        channels = self.channel_branch(maps).mean(dim=(2, 3), keepdim=True)
        first, second = channels.split(_WIDTH // 2, dim=1)
        vectors = [
            self.reduction_0(whole.mean(dim=(2, 3), keepdim=True)),
            self.reduction_4(dropped.amax(dim=(2, 3), keepdim=True)),
            self.reduction_1(parts.amax(dim=(2, 3), keepdim=True)),
            self.reduction_2(upper),
            self.reduction_3(lower),
            self.shared(first).flatten(1),
            self.shared(second).flatten(1),
        ]
        return torch.cat(vectors, dim=1)


def _mean_of_halves(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means of the upper and the lower half of maps [N, C, h, w]; they share a row if h is odd."""
    rows = maps.shape[2]
    upper, lower = maps[:, :, : -(-rows // 2)], maps[:, :, rows // 2 :]
    return upper.mean(dim=(2, 3), keepdim=True), lower.mean(dim=(2, 3), keepdim=True)


def join_necks(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the authors' tensors without classifiers, the batch normalizations of the seven branches as one, `neck`.

    Tensors of other networks are returned as they are.
    """
    prefix = next((name.partition("reduction_ch_0.bn.")[0] for name in tensors if "reduction_ch_0.bn." in name), None)
    if prefix is None:
        return tensors
    heads = tuple(f"{prefix}{neck}.{part}." for neck in _NECKS for part in ("bn", "classifier"))
    kept = {name: values for name, values in tensors.items() if not name.startswith(heads)}
    for part in ("weight", "bias", "running_mean", "running_var"):
        kept[f"{prefix}neck.{part}"] = torch.cat([tensors[f"{prefix}{neck}.bn.{part}"] for neck in _NECKS])
    return kept


default_cfgs = generate_default_cfgs({"lmbn_n": config(384, 128, first_conv="backone.0.conv")})


@register_model
def lmbn_n(pretrained: bool = False, **options: Any) -> nn.Module:
    """LightMBN with OSNet ×1.0."""
    return build_model_with_cfg(LMBN, "lmbn_n", pretrained, **options)
