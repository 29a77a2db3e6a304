"""ResNet-50 with mid-level features (Yu et al. 2017, "The Devil is in the Middle"), for timm, built on timm's ResNet.

Importing this module registers resnet50mid. ImageNet weights of ResNet-50 fit its convolutions.
"""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import Bottleneck, ResNet
from torch import Tensor, nn

from reidops.embedding.published_network import PublishedNetwork, config, dense_layer, mark_recomputed

_BLOCKS = (3, 4, 6, 3)
_WIDTH, _FUSED = 2048, 1024


class ResNetMid(PublishedNetwork):
    """The pooled maps of the first two blocks of the last stage are fused and appended to those of its third block."""

    has_own_pooling = True

    def __init__(self, *, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "avg", **_: Any) -> None:
        super().__init__(_WIDTH + _FUSED, num_classes, global_pool)
        whole = ResNet(Bottleneck, _BLOCKS, num_classes=0, in_chans=in_chans)
        for name in ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            self.add_module(name, whole.get_submodule(name))
        mark_recomputed(self, Bottleneck)
        self.fc_fusion = dense_layer(2 * _WIDTH, _FUSED)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return vectors [N, 3072]: the last block's pooled map, then the fused ones of the two blocks before it."""
        maps = self.maxpool(self.act1(self.bn1(self.conv1(images))))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        pooled = []
        for block in self.layer4:
            maps = block(maps)
            pooled.append(maps.mean(dim=(2, 3)))
        return torch.cat([pooled[2], self.fc_fusion(torch.cat(pooled[:2], dim=1))], dim=1)


default_cfgs = generate_default_cfgs({"resnet50mid": config()})


@register_model
def resnet50mid(pretrained: bool = False, **options: Any) -> nn.Module:
    """ResNet-50 with mid-level features."""
    return build_model_with_cfg(ResNetMid, "resnet50mid", pretrained, **options)
