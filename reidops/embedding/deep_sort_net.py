"""The network of deep_sort_pytorch, for timm: a small residual network for crops of 128 × 64 px.

Importing this module registers deep_sort_net. The tensors have the names in `ckpt.t7`, under its key `net_dict`.
"""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from reidops.embedding.published_network import PublishedNetwork, config, init_from_he

_WIDTHS = (64, 128, 256, 512)


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with a shortcut; with `reduces` the map is halved and the shortcut is projected."""

    recomputed = ("forward",)

    def __init__(self, in_channels: int, out_channels: int, *, reduces: bool) -> None:
        super().__init__()
        stride = 2 if reduces else 1
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        if reduces:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out_channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, out_channels, h, w], or half of the height and width, of maps [N, in_channels, h, w]."""
        inner = self.bn2(self.conv2(self.bn1(self.conv1(maps)).relu()))
        shortcut = self.downsample(maps) if hasattr(self, "downsample") else maps
        return (inner + shortcut).relu()


class DeepSortNet(PublishedNetwork):
    """A stem of 64 channels and four stages of two blocks: maps of 512 channels, reduced by 16.

    The layers after the pooling in the published file (a hidden layer of 256 and the classifier) serve the training;
    deep_sort_pytorch embeds by the pooled map, too.
    """

    def __init__(self, *, num_classes: int = 751, in_chans: int = 3, global_pool: str = "avg", **_: Any) -> None:
        super().__init__(_WIDTHS[-1], num_classes, global_pool)
        stem = _WIDTHS[0]
        self.conv = nn.Sequential(
            nn.Conv2d(in_chans, stem, 3, 1, 1), nn.BatchNorm2d(stem), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        )
        for stage, (before, width) in enumerate(zip((stem, *_WIDTHS), _WIDTHS, strict=False), start=1):
            first = ResidualBlock(before, width, reduces=stage > 1)
            self.add_module(f"layer{stage}", nn.Sequential(first, ResidualBlock(width, width, reduces=False)))
        init_from_he(self)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return maps [N, 512, H / 16, W / 16]."""
        maps = self.conv(images)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
        return maps


default_cfgs = generate_default_cfgs({"deep_sort_net": config(128, 64, first_conv="conv.0")})


@register_model
def deep_sort_net(pretrained: bool = False, **options: Any) -> DeepSortNet:
    """The network of deep_sort_pytorch."""
    return build_model_with_cfg(DeepSortNet, "deep_sort_net", pretrained, **options)
