"""Multi-Level Factorisation Net (Chang et al. 2018), for timm.

Importing this module registers mlfn. Each block has factor modules (groups of channels), and a selection module that
weighs them for each image; the selections of all blocks are a part of the embedding.
"""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from reidops.embedding.published_network import PublishedNetwork, config, init_from_he

GROUPS = 32
# input channels, output channels, widths of the selection module, number of blocks; all but the first stage reduce
_STAGES = (
    (64, 256, (128, 64), 3),
    (256, 512, (256, 128), 4),
    (512, 1024, (512, 128), 6),
    (1024, 2048, (512, 128), 3),
)
_EMBEDDING = 1024


class FactorBlock(nn.Module):
    """A residual block of 32 factors, each of which is weighed by the selection of the image."""

    recomputed = ("forward",)

    def __init__(self, in_channels: int, out_channels: int, stride: int, selection: tuple[int, int]) -> None:
        super().__init__()
        width = out_channels // 2
        self.fm_conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.fm_bn1 = nn.BatchNorm2d(width)
        self.fm_conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False, groups=GROUPS)
        self.fm_bn2 = nn.BatchNorm2d(width)
        self.fm_conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.fm_bn3 = nn.BatchNorm2d(out_channels)
        self.fsm = _selection(in_channels, *selection)
        self.downsample = None
        if in_channels != out_channels or stride > 1:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the block's maps [N, out_channels, h, w] and its selection [N, 32, 1, 1], each in 0 … 1."""
        selected = self.fsm(maps)
        factors = self.fm_bn2(self.fm_conv2(self.fm_bn1(self.fm_conv1(maps)).relu())).relu()
        weighed = factors * selected.repeat_interleave(factors.shape[1] // GROUPS, dim=1)
        shortcut = maps if self.downsample is None else self.downsample(maps)
        return (self.fm_bn3(self.fm_conv3(weighed)).relu() + shortcut).relu(), selected


class MLFN(PublishedNetwork):
    """16 blocks; the embedding is the mean of the projected last map and of the projected selections of all blocks."""

    has_own_pooling = True

    def __init__(self, *, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "avg", **_: Any) -> None:
        super().__init__(_EMBEDDING, num_classes, global_pool)
        stem, width = _STAGES[0][0], _STAGES[-1][1]
        self.conv1 = nn.Conv2d(in_chans, stem, 7, 2, 3)
        self.bn1 = nn.BatchNorm2d(stem)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.feature = nn.ModuleList(_blocks())
        self.fc_x = _projection(width)
        self.fc_s = _projection(GROUPS * len(self.feature))
        init_from_he(self)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return vectors [N, 1024]."""
        maps = self.maxpool(self.bn1(self.conv1(images)).relu())
        selections = []
        for block in self.feature:
            maps, selected = block(maps)
            selections.append(selected)
        of_map = self.fc_x(maps.mean(dim=(2, 3), keepdim=True))
        return (0.5 * (of_map + self.fc_s(torch.cat(selections, dim=1)))).flatten(1)


def _blocks() -> list[FactorBlock]:
    blocks = []
    for stage, (before, width, selection, number) in enumerate(_STAGES):
        for i in range(number):
            first = i == 0
            blocks.append(FactorBlock(before if first else width, width, 2 if first and stage else 1, selection))
    return blocks


def _selection(in_channels: int, first: int, second: int) -> nn.Sequential:
    """Return the factor selection module: three layers on the pooled map, the last with a sigmoid."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(in_channels, first, 1),
        nn.BatchNorm2d(first),
        nn.ReLU(inplace=True),
        nn.Conv2d(first, second, 1),
        nn.BatchNorm2d(second),
        nn.ReLU(inplace=True),
        nn.Conv2d(second, GROUPS, 1),
        nn.BatchNorm2d(GROUPS),
        nn.Sigmoid(),
    )


def _projection(in_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, _EMBEDDING, 1), nn.BatchNorm2d(_EMBEDDING), nn.ReLU(inplace=True))


default_cfgs = generate_default_cfgs({"mlfn": config()})


@register_model
def mlfn(pretrained: bool = False, **options: Any) -> MLFN:
    """MLFN with 16 blocks of 32 factors."""
    return build_model_with_cfg(MLFN, "mlfn", pretrained, **options)
