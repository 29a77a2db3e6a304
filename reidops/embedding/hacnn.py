"""Harmonious Attention CNN (Li et al. 2018), for timm.

Importing this module registers hacnn. A global branch weighs its maps by soft attention. Four local branches see
regions of its maps, whose places are learned (hard attention). The published input is 160 × 64 px.
"""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional

from reidops.embedding.published_network import ConvNormRelu, PublishedNetwork, config, dense_layer, init_from_he

NUM_REGIONS = 4
_STEM, _CHANNELS, _FEATURES = 32, (128, 256, 384), 512
_REDUCTION = 16
_REGION_SCALE = (1.0, 0.25)  # width and height of a region, as a share of the map's
_REGION_SIZE = (0.3, 0.875)  # height and width of the first local map, as a share of the stem's: 24 × 28 of 80 × 32


class InceptionA(nn.Module):
    """Four streams with a quarter of the channels each: three of 1 × 1 and 3 × 3 convolutions, one of a pooling."""

    recomputed = ("forward",)

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        width = out_channels // 4
        self.stream1, self.stream2, self.stream3 = (
            nn.Sequential(ConvNormRelu(in_channels, width), ConvNormRelu(width, width, 3)) for _ in range(3)
        )
        self.stream4 = nn.Sequential(nn.AvgPool2d(3, 1, 1), ConvNormRelu(in_channels, width))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, out_channels, h, w] of maps [N, in_channels, h, w]."""
        return torch.cat([s(maps) for s in (self.stream1, self.stream2, self.stream3, self.stream4)], dim=1)


class InceptionB(nn.Module):
    """Three streams that halve the map: of one and two 3 × 3 convolutions, and of a pooling with half the channels."""

    recomputed = ("forward",)

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        width = out_channels // 4
        self.stream1 = nn.Sequential(ConvNormRelu(in_channels, width), ConvNormRelu(width, width, 3, stride=2))
        self.stream2 = nn.Sequential(
            ConvNormRelu(in_channels, width), ConvNormRelu(width, width, 3), ConvNormRelu(width, width, 3, stride=2)
        )
        self.stream3 = nn.Sequential(nn.MaxPool2d(3, 2, 1), ConvNormRelu(in_channels, 2 * width))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, out_channels, h / 2, w / 2] of maps [N, in_channels, h, w]."""
        return torch.cat([stream(maps) for stream in (self.stream1, self.stream2, self.stream3)], dim=1)


class SoftAttention(nn.Module):
    """The product of a weight per place and a weight per channel, mixed by a 1 × 1 convolution, in 0 … 1."""

    recomputed = ("forward",)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spatial1, self.spatial2 = ConvNormRelu(1, 1, 3, stride=2), ConvNormRelu(1, 1)
        self.channel1 = ConvNormRelu(channels, channels // _REDUCTION)
        self.channel2 = ConvNormRelu(channels // _REDUCTION, channels)
        self.conv = ConvNormRelu(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the weights [N, C, h, w] of maps of this shape."""
        places = self.spatial1(maps.mean(dim=1, keepdim=True))
        places = self.spatial2(functional.interpolate(places, maps.shape[2:], mode="bilinear", align_corners=True))
        channels = self.channel2(self.channel1(maps.mean(dim=(2, 3), keepdim=True)))
        return self.conv(places * channels).sigmoid()


class HardAttention(nn.Module):
    """The centres of the regions, from the pooled map; at first four stripes from top to bottom."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, 2 * NUM_REGIONS)
        nn.init.zeros_(self.fc.weight)
        with torch.no_grad():
            self.fc.bias.copy_(torch.tensor([0, -0.75, 0, -0.25, 0, 0.25, 0, 0.75]))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the centres, horizontal and vertical in −1 … 1, [N, 4, 2], of maps [N, C, h, w]."""
        return self.fc(maps.mean(dim=(2, 3))).tanh().unflatten(1, (NUM_REGIONS, 2))


class HACNN(PublishedNetwork):
    """Three stages; the embedding is the global feature of 512 and the feature of 512 of the four local branches."""

    has_own_pooling = True

    def __init__(self, *, num_classes: int = 1000, in_chans: int = 3, global_pool: str = "avg", **_: Any) -> None:
        super().__init__(2 * _FEATURES, num_classes, global_pool)
        self.conv = ConvNormRelu(in_chans, _STEM, 3, stride=2)
        before = (_STEM, *_CHANNELS)
        for i, width in enumerate(_CHANNELS):
            self.add_module(f"inception{i + 1}", nn.Sequential(InceptionA(before[i], width), InceptionB(width, width)))
            self.add_module(f"local_conv{i + 1}", InceptionB(before[i], width))
            self.add_module(f"soft{i + 1}", SoftAttention(width))
        self.fc_global = dense_layer(_CHANNELS[-1], _FEATURES)
        self.fc_local = dense_layer(NUM_REGIONS * _CHANNELS[-1], _FEATURES)
        init_from_he(self)
        for i, width in enumerate(_CHANNELS):  # after the initialization, which would replace its weights
            self.add_module(f"hard{i + 1}", HardAttention(width))

    def forward_features(self, images: Tensor) -> Tensor:
        """Return vectors [N, 1024]."""
        maps = self.conv(images)
        size = [round(side * share) for side, share in zip(maps.shape[2:], _REGION_SIZE, strict=True)]
        local: list[Tensor] = []
        for stage in range(1, len(_CHANNELS) + 1):
            before, maps = maps, self.get_submodule(f"inception{stage}")(maps)
            regions = _cut_regions(before, self.get_submodule(f"hard{stage}")(maps), size)
            if local:
                regions = [region + earlier for region, earlier in zip(regions, local, strict=True)]
            local = [self.get_submodule(f"local_conv{stage}")(region) for region in regions]
            size = list(local[0].shape[2:])
            maps = maps * self.get_submodule(f"soft{stage}")(maps)
        pooled = torch.cat([region.mean(dim=(2, 3)) for region in local], dim=1)
        return torch.cat([self.fc_global(maps.mean(dim=(2, 3))), self.fc_local(pooled)], dim=1)


def _cut_regions(maps: Tensor, centres: Tensor, size: list[int]) -> list[Tensor]:
    """Return the regions of maps [N, C, h, w] around the centres [N, 4, 2], each [N, C, *size]; zeros lie outside."""
    rows, columns = (torch.linspace(-1, 1, side, device=maps.device, dtype=maps.dtype) for side in size)
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], dim=-1)  # [h, w, 2], horizontal first
    grid = grid * torch.tensor(_REGION_SCALE, device=maps.device, dtype=maps.dtype)
    return [
        functional.grid_sample(maps, grid + centres[:, i, None, None].to(maps.dtype), align_corners=True)
        for i in range(NUM_REGIONS)
    ]


default_cfgs = generate_default_cfgs({"hacnn": config(160, 64, first_conv="conv.conv")})


@register_model
def hacnn(pretrained: bool = False, **options: Any) -> HACNN:
    """HA-CNN with four regions."""
    return build_model_with_cfg(HACNN, "hacnn", pretrained, **options)
