"""MuDeep (Qian et al. 2017, "Multi-scale Deep Learning Architectures for Person Re-identification"), for timm.

Importing this module registers mudeep. Its last layer is linear on the whole map, so it is built for one input size, by
default 256 × 128 px, and holds most of the weights.
"""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

from reidops.embedding.published_network import ConvNormRelu, PublishedNetwork, config, dense_layer, init_from_he

_FEATURES, _CHANNELS = 4096, 256
_POOL = 4  # height and width of what the fusion averages
_STRIDE = 16  # of the fused map


class MultiScaleA(nn.Module):
    """Four streams of 24 channels with receptive fields of 1, 3 and 5 px."""

    recomputed = ("forward",)

    def __init__(self) -> None:
        super().__init__()
        self.stream1 = nn.Sequential(ConvNormRelu(96, 96), ConvNormRelu(96, 24, 3))
        self.stream2 = nn.Sequential(nn.AvgPool2d(3, 1, 1), ConvNormRelu(96, 24))
        self.stream3 = ConvNormRelu(96, 24)
        self.stream4 = nn.Sequential(ConvNormRelu(96, 16), ConvNormRelu(16, 24, 3), ConvNormRelu(24, 24, 3))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, 96, h, w] of maps of this shape."""
        return torch.cat([s(maps) for s in (self.stream1, self.stream2, self.stream3, self.stream4)], dim=1)


class Reduction(nn.Module):
    """Three streams that halve the map: a pooling and convolutions with receptive fields of 3 and 5 px."""

    recomputed = ("forward",)

    def __init__(self) -> None:
        super().__init__()
        self.stream1 = nn.MaxPool2d(3, 2, 1)
        self.stream2 = ConvNormRelu(96, 96, 3, stride=2)
        self.stream3 = nn.Sequential(ConvNormRelu(96, 48), ConvNormRelu(48, 56, 3), ConvNormRelu(56, 64, 3, stride=2))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, 256, h / 2, w / 2] of maps [N, 96, h, w]."""
        return torch.cat([self.stream1(maps), self.stream2(maps), self.stream3(maps)], dim=1)


class MultiScaleB(nn.Module):
    """Four streams of 256 channels, whose receptive fields grow by convolutions of 1 × 3 and 3 × 1 px."""

    recomputed = ("forward",)

    def __init__(self) -> None:
        super().__init__()
        self.stream1 = nn.Sequential(nn.AvgPool2d(3, 1, 1), ConvNormRelu(256, 256))
        self.stream2 = nn.Sequential(
            ConvNormRelu(256, 64), ConvNormRelu(64, 128, (1, 3)), ConvNormRelu(128, 256, (3, 1))
        )
        self.stream3 = ConvNormRelu(256, 256)
        self.stream4 = nn.Sequential(
            ConvNormRelu(256, 64),
            ConvNormRelu(64, 64, (1, 3)),
            ConvNormRelu(64, 128, (3, 1)),
            ConvNormRelu(128, 128, (1, 3)),
            ConvNormRelu(128, 256, (3, 1)),
        )

    def forward(self, maps: Tensor) -> list[Tensor]:
        """Return the maps of the four streams, each [N, 256, h, w]."""
        return [stream(maps) for stream in (self.stream1, self.stream2, self.stream3, self.stream4)]


class Fusion(nn.Module):
    """The sum of the streams with a learned weight per channel and stream, then an average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.rand(4, _CHANNELS))
        self.pool = nn.AvgPool2d(_POOL, _POOL)

    def forward(self, streams: list[Tensor]) -> Tensor:
        """Return [N, 256, h / 4, w / 4] of maps [N, 256, h, w]."""
        weighed = [maps * weights[:, None, None] for maps, weights in zip(streams, self.weights, strict=True)]
        return self.pool(torch.stack(weighed).sum(dim=0))


class MuDeep(PublishedNetwork):
    """Two convolutions, the multi-scale blocks, their fusion and a linear layer of 4,096."""

    has_own_pooling = True

    def __init__(
        self,
        *,
        img_size: tuple[int, int] = (256, 128),
        num_classes: int = 1000,
        in_chans: int = 3,
        global_pool: str = "avg",
        **_: Any,
    ) -> None:
        super().__init__(_FEATURES, num_classes, global_pool)
        self.block1 = nn.Sequential(ConvNormRelu(in_chans, 48, 3), ConvNormRelu(48, 96, 3), nn.MaxPool2d(3, 2, 1))
        self.block2, self.block3, self.block4 = MultiScaleA(), Reduction(), MultiScaleB()
        self.block5 = Fusion()
        self.fc = dense_layer(_CHANNELS * (img_size[0] // _STRIDE) * (img_size[1] // _STRIDE), _FEATURES)
        init_from_he(self)

    def forward_features(self, images: Tensor) -> Tensor:
        """Return vectors [N, 4096]."""
        fused = self.block5(self.block4(self.block3(self.block2(self.block1(images)))))
        return self.fc(fused.flatten(1))


default_cfgs = generate_default_cfgs({"mudeep": config(first_conv="block1.0.conv")})


@register_model
def mudeep(pretrained: bool = False, **options: Any) -> MuDeep:
    """MuDeep with four streams."""
    return build_model_with_cfg(MuDeep, "mudeep", pretrained, **options)
