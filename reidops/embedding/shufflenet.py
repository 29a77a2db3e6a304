"""ShuffleNet with three groups (Zhang et al. 2018), for timm; torchvision has version 2 only.

Importing this module registers shufflenet.
"""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional

from reidops.embedding.published_network import PublishedNetwork, config

_GROUPS = 3
_STEM = 24
_STAGES = ((240, 4), (480, 8), (960, 4))  # channels and units
_BOTTLENECK = 4  # a unit reduces its width by this factor


class ShuffleUnit(nn.Module):
    """Pointwise group convolution, channel shuffle, depthwise and pointwise group convolution (figure 2 of the paper).

    A unit of stride 2 appends its maps to the averaged ones of its input, others add them.

    Args:
        first_groups: of the first convolution, 1 for the first unit of the network (section 3.2).
    """

    recomputed = ("forward",)

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, first_groups: int = _GROUPS) -> None:
        super().__init__()
        width, self._stride = out_channels // _BOTTLENECK, stride
        added = out_channels - in_channels if stride == 2 else out_channels
        self.conv1 = nn.Conv2d(in_channels, width, 1, groups=first_groups, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, groups=width, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, added, 1, groups=_GROUPS, bias=False)
        self.bn3 = nn.BatchNorm2d(added)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, out_channels, h / stride, w / stride] of maps [N, in_channels, h, w]."""
        residual = functional.channel_shuffle(self.bn1(self.conv1(maps)).relu(), _GROUPS)
        residual = self.bn3(self.conv3(self.bn2(self.conv2(residual))))
        if self._stride == 1:
            return (maps + residual).relu()
        return torch.cat([functional.avg_pool2d(maps, 3, 2, padding=1), residual], dim=1).relu()


class ShuffleNetV1(PublishedNetwork):
    """Maps of 960 channels, reduced by 32."""

    def __init__(self, *, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "avg", **_: Any) -> None:
        super().__init__(_STAGES[-1][0], num_classes, global_pool)
        stem = nn.Conv2d(in_chans, _STEM, 3, 2, padding=1, bias=False)
        self.conv1 = nn.Sequential(stem, nn.BatchNorm2d(_STEM), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        width, first_groups = _STEM, 1
        for number, (channels, num_units) in enumerate(_STAGES, 2):
            units = [ShuffleUnit(width, channels, stride=2, first_groups=first_groups)]
            units += [ShuffleUnit(channels, channels, stride=1) for _ in range(num_units - 1)]
            self.add_module(f"stage{number}", nn.Sequential(*units))
            width, first_groups = channels, _GROUPS

    def forward_features(self, images: Tensor) -> Tensor:
        """Return maps [N, 960, H / 32, W / 32]."""
        return self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(images)))))


default_cfgs = generate_default_cfgs({"shufflenet": config(first_conv="conv1.0")})


@register_model
def shufflenet(pretrained: bool = False, **options: Any) -> nn.Module:
    """ShuffleNet 1 × with three groups."""
    return build_model_with_cfg(ShuffleNetV1, "shufflenet", pretrained, **options)
